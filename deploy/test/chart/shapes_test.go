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

func TestWithoutNATSItIsOnePodWithAVolume(t *testing.T) {
	r := mustRender(t, "")
	s := one[*apps.StatefulSet](t, r)
	if *s.Spec.Replicas != 1 || len(s.Spec.VolumeClaimTemplates) != 1 || len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Errorf("%d replicas, claims %v, and a budget that would hold up every drain: %v", *s.Spec.Replicas, s.Spec.VolumeClaimTemplates, all[*policy.PodDisruptionBudget](r))
	}
	if claim := s.Spec.VolumeClaimTemplates[0]; claim.Kind != "PersistentVolumeClaim" || claim.APIVersion != "v1" {
		t.Errorf("the claim is of %q %q, and never as Kubernetes has it", claim.APIVersion, claim.Kind)
	}
	mounts := s.Spec.Template.Spec.Containers[0].VolumeMounts
	env := r.env(t)
	if !slices.ContainsFunc(mounts, func(m core.VolumeMount) bool { return m.Name == "data" && m.MountPath == env["BRIDGE_STORE_DIR"] }) {
		t.Errorf("the store is in %s, and mounted is %v", env["BRIDGE_STORE_DIR"], mounts)
	}
	if env["BRIDGE_NATS_LISTEN"] != "127.0.0.1:4222" || env["BRIDGE_NATS_URL"] != "" {
		t.Errorf("NATS listens on %q, and %q is connected to", env["BRIDGE_NATS_LISTEN"], env["BRIDGE_NATS_URL"])
	}
	if len(all[*core.Service](r)) != 2 {
		t.Error("a port for readers, which nobody asked for")
	}
	if s := one[*apps.StatefulSet](t, mustRender(t, "replicaCount: 0")); *s.Spec.Replicas != 0 || len(s.Spec.VolumeClaimTemplates) != 1 {
		t.Errorf("it was to stand still and to keep its volume: %d replicas, claims %v", *s.Spec.Replicas, s.Spec.VolumeClaimTemplates)
	}
	r = mustRender(t, "{embedded: {service: {enabled: true, port: 4333}, persistence: {enabled: false}}}")
	if port := one[*core.Service](t, r, "bridge-mkio-bridge-nats").Spec.Ports[0].Port; port != 4333 || r.env(t)["BRIDGE_NATS_LISTEN"] != ":4222" {
		t.Errorf("readers are to connect to %d, and NATS listens on %s", port, r.env(t)["BRIDGE_NATS_LISTEN"])
	}
	s = one[*apps.StatefulSet](t, r)
	if len(s.Spec.VolumeClaimTemplates) > 0 || volume(s.Spec.Template.Spec, "data").EmptyDir == nil {
		t.Error("a volume that nobody asked for")
	}
}

func TestOnAnExistingNATSItIsSeveralPodsThatAreReplacedWithoutAGap(t *testing.T) {
	r := mustRender(t, external)
	d := one[*apps.Deployment](t, r)
	update := d.Spec.Strategy.RollingUpdate
	if *d.Spec.Replicas != 2 || update == nil || update.MaxUnavailable.IntValue() != 0 || update.MaxSurge.IntValue() != 1 {
		t.Errorf("%d replicas, replaced by %+v", *d.Spec.Replicas, d.Spec.Strategy)
	}
	if b := one[*policy.PodDisruptionBudget](t, r); b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("budget %+v", b.Spec)
	}
	if spread := d.Spec.Template.Spec.TopologySpreadConstraints; len(spread) != 2 {
		t.Errorf("spread %+v", spread)
	}
	if env := r.env(t); env["BRIDGE_NATS_URL"] != "nats://nats:4222" || env["BRIDGE_STORE_DIR"] != "" || volume(d.Spec.Template.Spec, "data").Name != "" {
		t.Errorf("it connects to %q, with a store in %q", env["BRIDGE_NATS_URL"], env["BRIDGE_STORE_DIR"])
	}
	if r := mustRender(t, external+"replicaCount: 1"); len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Error("a budget of one pod would hold up every drain, or mean nothing")
	}
	if r := mustRender(t, external+"replicaCount: 0"); *one[*apps.Deployment](t, r).Spec.Replicas != 0 || len(all[*policy.PodDisruptionBudget](r)) > 0 {
		t.Error("it was to stand still")
	}
	r = mustRender(t, external+"autoscaling: {enabled: true}")
	scaler := one[*autoscaling.HorizontalPodAutoscaler](t, r)
	if d := one[*apps.Deployment](t, r); d.Spec.Replicas != nil || scaler.Spec.ScaleTargetRef.Name != d.Name {
		t.Error("the chart and the autoscaler would both say how many")
	}
}

func TestASecretForDeliveriesIsMadeWhereNobodyGaveOne(t *testing.T) {
	data := func() string {
		return string(one[*core.Secret](t, mustRender(t, "")).Data["webhook-secrets"])
	}
	if first, second := data(), data(); len(first) != 40 || first == second {
		t.Errorf("%q, and at another installation %q", first, second)
	}
	r := mustRender(t, "secrets: {webhookSecrets: {existingSecret: mine, key: hook}}")
	if found := all[*core.Secret](r); len(found) > 0 {
		t.Errorf("Secrets that nobody needs: %v", found)
	}
	template, _ := r.workload(t)
	if source := volume(template.Spec, "secrets").Projected.Sources[0].Secret; source.Name != "mine" || source.Items[0].Key != "hook" {
		t.Errorf("it reads %+v", source)
	}
}

// A pod template that changes with a Secret would restart the bridges, which read it again by themselves.
func TestASecretThatChangesRestartsNothing(t *testing.T) {
	before, _ := mustRender(t, "secrets: {webhookSecrets: {value: old}}").workload(t)
	after, _ := mustRender(t, "secrets: {webhookSecrets: {value: 'new,old'}}").workload(t)
	if before.String() != after.String() {
		t.Error("the pods are replaced")
	}
	changed, _ := mustRender(t, "config: {logLevel: debug}").workload(t)
	if before.String() == changed.String() {
		t.Error("a setting that changes reaches no pod")
	}
}

func TestWebhooksComeInByIngressAndRoute(t *testing.T) {
	r := mustRender(t, "{ingress: {enabled: true, hosts: [a.example.com]}, httpRoute: {enabled: true, parentRefs: [{name: public}]}, service: {port: 8000}}")
	path := one[*networking.Ingress](t, r).Spec.Rules[0].HTTP.Paths[0]
	webhooks := one[*core.Service](t, r, path.Backend.Service.Name)
	if path.Path != "/webhooks/mkio" || *path.PathType != networking.PathTypeExact || path.Backend.Service.Port.Name != webhooks.Spec.Ports[0].Name {
		t.Errorf("the Ingress leads %+v", path)
	}
	rule := one[*gateway.HTTPRoute](t, r).Spec.Rules[0]
	if *rule.Matches[0].Path.Value != "/webhooks/mkio" || string(rule.BackendRefs[0].Name) != webhooks.Name || *rule.BackendRefs[0].Port != webhooks.Spec.Ports[0].Port {
		t.Errorf("the route leads %+v", rule)
	}
}

// What the bridge takes or puts right is no mistake here either.
func TestAddressesOfTheBridgeAreTaken(t *testing.T) {
	for _, url := range []string{"", "https://a.example.com", "https://a.example.com:8443/", "https://a.example.com/webhooks/mkio/", "https://a.example.com/in/webhooks/mkio"} {
		mustRender(t, "config: {webhookUrl: '"+url+"'}\nsecrets: {webhookSecrets: {value: a}}")
	}
}

// The bridge takes its path with a slash at the end as well, and what stands before it must let it through.
func TestWebhooksComeInWithASlashAtTheEnd(t *testing.T) {
	r := mustRender(t, "{ingress: {enabled: true, hosts: [a.example.com]}, httpRoute: {enabled: true, parentRefs: [{name: public}]}}")
	paths := one[*networking.Ingress](t, r).Spec.Rules[0].HTTP.Paths
	matches := one[*gateway.HTTPRoute](t, r).Spec.Rules[0].Matches
	if len(paths) != 2 || paths[1].Path != "/webhooks/mkio/" || *paths[1].PathType != networking.PathTypeExact || *paths[1].Backend.Service != *paths[0].Backend.Service {
		t.Errorf("the Ingress has %+v", paths)
	}
	if len(matches) != 2 || *matches[1].Path.Value != "/webhooks/mkio/" || *matches[1].Path.Type != *matches[0].Path.Type {
		t.Errorf("the route has %+v", matches)
	}
}

func TestTheMonitorFindsTheAdminServiceAlone(t *testing.T) {
	r := mustRender(t, "serviceMonitor: {enabled: true}")
	monitor := one[*monitoring.ServiceMonitor](t, r)
	selector := labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels)
	for _, s := range all[*core.Service](r) {
		if selector.Matches(labels.Set(s.Labels)) != strings.HasSuffix(s.Name, "-admin") {
			t.Errorf("Service %s with %v, and the monitor looks for %s", s.Name, s.Labels, selector)
		}
	}
	job := one[*core.Service](t, r, "bridge-mkio-bridge-admin").Labels[monitor.Spec.JobLabel]
	if job != "mkio-bridge" || monitor.Spec.Endpoints[0].Port != "admin" {
		t.Errorf("the job is %q, of port %q", job, monitor.Spec.Endpoints[0].Port)
	}
}

func TestTheNetworkPolicyLetsThroughWhatTheBridgeNeeds(t *testing.T) {
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
		t.Errorf("out: %v", is)
	}
	web := one[*networking.NetworkPolicy](t, mustRender(t, "networkPolicy: {enabled: true}\nnats: {urls: [wss://a, ws://b, 'tls://[fd00::1]:4443', 'nats://[fd00::1]']}")).Spec
	if is := ports(web.Egress); !slices.Equal(is, []string{"53", "53", "443", "80", "4443", "4222"}) {
		t.Errorf("out by other ways: %v", is)
	}
	if len(p.Ingress) != 2 || len(p.Ingress[0].From) != 0 || len(p.Ingress[1].From) != 1 {
		t.Errorf("in: %+v", p.Ingress)
	}
	r := mustRender(t, "networkPolicy: {enabled: true, webhookFrom: [{ipBlock: {cidr: 10.0.0.0/8}}]}\nembedded: {service: {enabled: true}}")
	p = one[*networking.NetworkPolicy](t, r).Spec
	if is := ports(p.Egress); !slices.Equal(is, []string{"53", "53"}) {
		t.Errorf("out of a bridge that asks nobody: %v", is)
	}
	if len(p.Ingress) != 3 || len(p.Ingress[0].From) != 2 || len(p.Ingress[2].From) != 0 {
		t.Errorf("in: %+v", p.Ingress)
	}
	test := labels.Set(all[*core.Pod](r)[0].Labels)
	if peer := p.Ingress[1].From[0].PodSelector; !labels.SelectorFromSet(peer.MatchLabels).Matches(test) {
		t.Errorf("the helm test cannot reach the admin port: %v of %v", test, peer)
	}
}

// A chart that depends on this one has such values for it: those of all, and that of its condition.
func TestItCanBePartOfAnotherChart(t *testing.T) {
	one[*apps.StatefulSet](t, mustRender(t, "{enabled: true, global: {imageRegistry: r.example.com}}"))
}

// Whoever closes the admin port and wants it scraped is told before an alert does.
func TestTheNotesTellThatPrometheusIsKeptOut(t *testing.T) {
	const kept = "blocks Prometheus"
	closed := "serviceMonitor: {enabled: true}\nnetworkPolicy: {enabled: true"
	if r := mustRender(t, closed+"}"); !strings.Contains(r.notes, kept) {
		t.Errorf("nobody says so:\n%s", r.notes)
	}
	if r := mustRender(t, closed+", adminFrom: [{namespaceSelector: {}}]}"); strings.Contains(r.notes, kept) {
		t.Errorf("it is let in:\n%s", r.notes)
	}
}

// Kubernetes writes the address of a Service with an IPv6 host in brackets; host and port apart make no address.
func TestTheHelmTestAsksTheServicesWhateverTheirAddresses(t *testing.T) {
	asked := map[string]bool{}
	for _, pod := range all[*core.Pod](mustRender(t, "")) {
		asked[pod.Spec.Containers[0].Args[2]] = true
	}
	for _, want := range []string{"$(BRIDGE_MKIO_BRIDGE_ADMIN_PORT)/readyz", "$(BRIDGE_MKIO_BRIDGE_PORT)/webhooks/mkio"} {
		if !asked[want] {
			t.Errorf("%s is not asked, but %v", want, asked)
		}
	}
}

func TestTheImageIsNamedByTagOrDigest(t *testing.T) {
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
