package chart

import (
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

const external = "nats: {urls: [nats://nats:4222]}\n"

func TestEmbeddedNATSIsOnePodWithAVolume(t *testing.T) {
	r := mustRender(t, "")
	s := one[*apps.StatefulSet](t, r)
	if *s.Spec.Replicas != 1 || len(s.Spec.VolumeClaimTemplates) != 1 || len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Errorf("%d replicas, claims %v, and a budget that would block every drain: %v", *s.Spec.Replicas, s.Spec.VolumeClaimTemplates, all[*policy.PodDisruptionBudget](r))
	}
	if claim := s.Spec.VolumeClaimTemplates[0]; claim.Kind != "PersistentVolumeClaim" || claim.APIVersion != "v1" {
		t.Errorf("the claim has kind %q, apiVersion %q", claim.APIVersion, claim.Kind)
	}
	mounts := s.Spec.Template.Spec.Containers[0].VolumeMounts
	env := r.env(t)
	if !slices.ContainsFunc(mounts, func(m core.VolumeMount) bool { return m.Name == "data" && m.MountPath == env["BRIDGE_STORE_DIR"] }) {
		t.Errorf("the store is in %s; mounts: %v", env["BRIDGE_STORE_DIR"], mounts)
	}
	if env["BRIDGE_NATS_LISTEN"] != "127.0.0.1:4222" || env["BRIDGE_NATS_URL"] != "" {
		t.Errorf("BRIDGE_NATS_LISTEN is %q, BRIDGE_NATS_URL %q", env["BRIDGE_NATS_LISTEN"], env["BRIDGE_NATS_URL"])
	}
	if len(all[*core.Service](r)) != 2 {
		t.Error("a Service for readers that is not enabled")
	}
	if s := one[*apps.StatefulSet](t, mustRender(t, "replicaCount: 0")); *s.Spec.Replicas != 0 || len(s.Spec.VolumeClaimTemplates) != 1 {
		t.Errorf("replicaCount 0: %d replicas, claims %v", *s.Spec.Replicas, s.Spec.VolumeClaimTemplates)
	}
	r = mustRender(t, "{embedded: {service: {enabled: true, port: 4333}, persistence: {enabled: false}}}")
	if port := one[*core.Service](t, r, "bridge-mkio-bridge-nats").Spec.Ports[0].Port; port != 4333 || r.env(t)["BRIDGE_NATS_LISTEN"] != ":4222" {
		t.Errorf("the readers' Service has port %d, BRIDGE_NATS_LISTEN is %s", port, r.env(t)["BRIDGE_NATS_LISTEN"])
	}
	s = one[*apps.StatefulSet](t, r)
	if len(s.Spec.VolumeClaimTemplates) > 0 || volume(s.Spec.Template.Spec, "data").EmptyDir == nil {
		t.Error("a volume though persistence is disabled")
	}
}

func TestExternalNATSIsADeploymentWithRollingUpdates(t *testing.T) {
	r := mustRender(t, external)
	d := one[*apps.Deployment](t, r)
	update := d.Spec.Strategy.RollingUpdate
	if *d.Spec.Replicas != 2 || update == nil || update.MaxUnavailable.IntValue() != 0 || update.MaxSurge.IntValue() != 1 {
		t.Errorf("%d replicas, strategy %+v", *d.Spec.Replicas, d.Spec.Strategy)
	}
	if b := one[*policy.PodDisruptionBudget](t, r); b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("budget %+v", b.Spec)
	}
	if spread := d.Spec.Template.Spec.TopologySpreadConstraints; len(spread) != 2 {
		t.Errorf("spread %+v", spread)
	}
	if env := r.env(t); env["BRIDGE_NATS_URL"] != "nats://nats:4222" || env["BRIDGE_STORE_DIR"] != "" || volume(d.Spec.Template.Spec, "data").Name != "" {
		t.Errorf("BRIDGE_NATS_URL is %q, BRIDGE_STORE_DIR %q", env["BRIDGE_NATS_URL"], env["BRIDGE_STORE_DIR"])
	}
	if r := mustRender(t, external+"replicaCount: 1"); len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Error("a budget for one pod, which blocks every drain or has no effect")
	}
	if r := mustRender(t, external+"replicaCount: 0"); *one[*apps.Deployment](t, r).Spec.Replicas != 0 || len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Error("replicaCount 0 renders replicas or a budget")
	}
	r = mustRender(t, external+"autoscaling: {enabled: true}")
	scaler := one[*autoscaling.HorizontalPodAutoscaler](t, r)
	if d := one[*apps.Deployment](t, r); d.Spec.Replicas != nil || scaler.Spec.ScaleTargetRef.Name != d.Name {
		t.Error("the chart and the autoscaler both set the replicas")
	}
}

func TestWebhookSecretIsGeneratedByDefault(t *testing.T) {
	data := func() string {
		return string(one[*core.Secret](t, mustRender(t, "")).Data["webhook-secrets"])
	}
	if first, second := data(), data(); len(first) != 40 || first == second {
		t.Errorf("%q, at another installation %q", first, second)
	}
	r := mustRender(t, "secrets: {webhookSecrets: {existingSecret: mine, key: hook}}")
	if found := all[*core.Secret](r); len(found) > 0 {
		t.Errorf("unused Secrets: %v", found)
	}
	template, _ := r.workload(t)
	if source := volume(template.Spec, "secrets").Projected.Sources[0].Secret; source.Name != "mine" || source.Items[0].Key != "hook" {
		t.Errorf("the pod mounts %+v", source)
	}
}

// Bridges re-read secrets, so the pod template must not change with a Secret: that would restart them.
func TestChangedSecretRestartsNothing(t *testing.T) {
	before, _ := mustRender(t, "secrets: {webhookSecrets: {value: old}}").workload(t)
	after, _ := mustRender(t, "secrets: {webhookSecrets: {value: 'new,old'}}").workload(t)
	if before.String() != after.String() {
		t.Error("a changed Secret replaces the pods")
	}
	changed, _ := mustRender(t, "config: {logLevel: debug}").workload(t)
	if before.String() == changed.String() {
		t.Error("a changed setting does not replace the pods")
	}
}

func TestIngressAndRouteLeadToWebhooks(t *testing.T) {
	r := mustRender(t, "{ingress: {enabled: true, hosts: [a.example.com]}, httpRoute: {enabled: true, parentRefs: [{name: public}]}, service: {port: 8000}}")
	path := one[*networking.Ingress](t, r).Spec.Rules[0].HTTP.Paths[0]
	webhooks := one[*core.Service](t, r, path.Backend.Service.Name)
	if path.Path != "/webhooks/mkio" || *path.PathType != networking.PathTypeExact || path.Backend.Service.Port.Name != webhooks.Spec.Ports[0].Name {
		t.Errorf("Ingress path %+v", path)
	}
	rule := one[*gateway.HTTPRoute](t, r).Spec.Rules[0]
	if *rule.Matches[0].Path.Value != "/webhooks/mkio" || string(rule.BackendRefs[0].Name) != webhooks.Name || *rule.BackendRefs[0].Port != webhooks.Spec.Ports[0].Port {
		t.Errorf("HTTPRoute rule %+v", rule)
	}
}

// The schema accepts every webhook URL that the bridge accepts or normalizes.
func TestWebhookURLsAreAccepted(t *testing.T) {
	for _, url := range []string{"", "https://a.example.com", "https://a.example.com:8443/", "https://a.example.com/webhooks/mkio/", "https://a.example.com/in/webhooks/mkio"} {
		mustRender(t, "config: {webhookUrl: '"+url+"'}\nsecrets: {webhookSecrets: {value: a}}")
	}
}

// The bridge accepts its path with a trailing slash, so Ingress and HTTPRoute must pass it.
func TestIngressAndRouteAcceptTrailingSlash(t *testing.T) {
	r := mustRender(t, "{ingress: {enabled: true, hosts: [a.example.com]}, httpRoute: {enabled: true, parentRefs: [{name: public}]}}")
	paths := one[*networking.Ingress](t, r).Spec.Rules[0].HTTP.Paths
	matches := one[*gateway.HTTPRoute](t, r).Spec.Rules[0].Matches
	if len(paths) != 2 || paths[1].Path != "/webhooks/mkio/" || *paths[1].PathType != networking.PathTypeExact || *paths[1].Backend.Service != *paths[0].Backend.Service {
		t.Errorf("Ingress paths %+v", paths)
	}
	if len(matches) != 2 || *matches[1].Path.Value != "/webhooks/mkio/" || *matches[1].Path.Type != *matches[0].Path.Type {
		t.Errorf("HTTPRoute matches %+v", matches)
	}
}

func TestServiceMonitorSelectsOnlyAdminService(t *testing.T) {
	r := mustRender(t, "serviceMonitor: {enabled: true}")
	monitor := one[*monitoring.ServiceMonitor](t, r)
	selector := labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels)
	for _, s := range all[*core.Service](r) {
		if selector.Matches(labels.Set(s.Labels)) != strings.HasSuffix(s.Name, "-admin") {
			t.Errorf("Service %s has labels %v, the ServiceMonitor selects %s", s.Name, s.Labels, selector)
		}
	}
	job := one[*core.Service](t, r, "bridge-mkio-bridge-admin").Labels[monitor.Spec.JobLabel]
	if job != "mkio-bridge" || monitor.Spec.Endpoints[0].Port != "admin" {
		t.Errorf("job %q, port %q", job, monitor.Spec.Endpoints[0].Port)
	}
}

func TestNetworkPolicyAllowsWhatTheBridgeNeeds(t *testing.T) {
	values := "networkPolicy: {enabled: true}\nsecrets: {mkioToken: {value: t}}\notel: {endpoint: 'http://collector:4318'}\n"
	ports := func(rules []networking.NetworkPolicyEgressRule) (found []string) {
		for _, rule := range rules {
			for _, p := range rule.Ports {
				found = append(found, p.Port.String())
			}
		}
		return found
	}
	p := one[*networking.NetworkPolicy](t, mustRender(t, values+"nats: {urls: [nats://a, nats://b:4333, nats://c]}")).Spec
	if is := ports(p.Egress); !slices.Equal(is, []string{"53", "53", "4222", "4333", "443", "4318"}) {
		t.Errorf("egress ports: %v", is)
	}
	web := one[*networking.NetworkPolicy](t, mustRender(t, "networkPolicy: {enabled: true}\nnats: {urls: [wss://a, ws://b, 'tls://[fd00::1]:4443', 'nats://[fd00::1]']}")).Spec
	if is := ports(web.Egress); !slices.Equal(is, []string{"53", "53", "443", "80", "4443", "4222"}) {
		t.Errorf("egress ports for websocket and TLS URLs: %v", is)
	}
	if len(p.Ingress) != 2 || len(p.Ingress[0].From) != 0 || len(p.Ingress[1].From) != 1 {
		t.Errorf("ingress: %+v", p.Ingress)
	}
	r := mustRender(t, "networkPolicy: {enabled: true, webhookFrom: [{ipBlock: {cidr: 10.0.0.0/8}}]}\nembedded: {service: {enabled: true}}")
	p = one[*networking.NetworkPolicy](t, r).Spec
	if is := ports(p.Egress); !slices.Equal(is, []string{"53", "53"}) {
		t.Errorf("egress ports of a bridge without MK.IO and NATS: %v", is)
	}
	if len(p.Ingress) != 3 || len(p.Ingress[0].From) != 2 || len(p.Ingress[2].From) != 0 {
		t.Errorf("ingress: %+v", p.Ingress)
	}
	test := labels.Set(all[*core.Pod](r)[0].Labels)
	if peer := p.Ingress[1].From[0].PodSelector; !labels.SelectorFromSet(peer.MatchLabels).Matches(test) {
		t.Errorf("the helm test cannot reach the admin port: %v of %v", test, peer)
	}
}

// A parent chart adds global values and the value of its dependency condition.
func TestChartCanBeADependency(t *testing.T) {
	one[*apps.StatefulSet](t, mustRender(t, "{enabled: true, global: {imageRegistry: r.example.com}}"))
}

// The notes warn when the NetworkPolicy blocks the scrapes of an enabled ServiceMonitor.
func TestNotesWarnThatPrometheusIsBlocked(t *testing.T) {
	const warning = "blocks Prometheus"
	closed := "serviceMonitor: {enabled: true}\nnetworkPolicy: {enabled: true"
	if r := mustRender(t, closed+"}"); !strings.Contains(r.notes, warning) {
		t.Errorf("the notes do not warn:\n%s", r.notes)
	}
	if r := mustRender(t, closed+", adminFrom: [{namespaceSelector: {}}]}"); strings.Contains(r.notes, warning) {
		t.Errorf("the notes warn though adminFrom allows scrapes:\n%s", r.notes)
	}
}

// The …_PORT variables of Services have IPv6 hosts in brackets; joining …_SERVICE_HOST and …_SERVICE_PORT would not.
func TestHelmTestUsesServicePortVariables(t *testing.T) {
	requested := map[string]bool{}
	for _, pod := range all[*core.Pod](mustRender(t, "")) {
		requested[pod.Spec.Containers[0].Args[2]] = true
	}
	for _, want := range []string{"$(BRIDGE_MKIO_BRIDGE_ADMIN_PORT)/readyz", "$(BRIDGE_MKIO_BRIDGE_PORT)/webhooks/mkio"} {
		if !requested[want] {
			t.Errorf("the helm test requests %v, want %s", requested, want)
		}
	}
}

func TestImageReference(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	for values, want := range map[string]string{
		"": "mkio-bridge:0.1.0",
		"image: {registry: r.example.com, repository: a/b, tag: v2}":                "r.example.com/a/b:v2",
		"image: {repository: r.example.com/a/b, tag: v2, digest: '" + digest + "'}": "r.example.com/a/b@" + digest,
	} {
		for name, pod := range mustRender(t, values).pods(t) {
			for _, c := range pod.Containers {
				if c.Image != want {
					t.Errorf("%s: %s, want %s", name, c.Image, want)
				}
			}
		}
	}
}
