package chart

import (
	"encoding/json"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// notifier returns the notifier's Deployment; nil if there is none.
func (r *rendering) notifier(t *testing.T) *apps.Deployment {
	t.Helper()
	found := slices.DeleteFunc(all[*apps.Deployment](r), func(d *apps.Deployment) bool { return !isNotifier(d) })
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// argument returns the argument after a flag.
func argument(c core.Container, flag string) string {
	i := slices.Index(c.Args, flag)
	if i < 0 || i+1 == len(c.Args) {
		return ""
	}
	return c.Args[i+1]
}

// checkNotifier checks that the notifier's objects select its pods and no others, and that each file that its arguments,
// variables and rules name is mounted. checkPods checks its security context.
func checkNotifier(t *testing.T, r *rendering) {
	t.Helper()
	d := r.notifier(t)
	if d == nil {
		return
	}
	bridge, _ := r.workload(t)
	selectors := map[string]labels.Selector{}
	for _, s := range all[*core.Service](r) {
		if isNotifier(s) {
			selectors["Service"] = labels.SelectorFromSet(s.Spec.Selector)
		}
	}
	for _, p := range all[*networking.NetworkPolicy](r) {
		if isNotifier(p) {
			selectors["NetworkPolicy"] = labels.SelectorFromSet(p.Spec.PodSelector.MatchLabels)
		}
	}
	own, err := meta.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	selectors["Deployment"] = own
	for name, s := range selectors {
		if !s.Matches(labels.Set(d.Spec.Template.Labels)) || s.Matches(labels.Set(bridge.Labels)) {
			t.Errorf("%s selects %v, the notifier has %v, the bridge %v", name, s, d.Spec.Template.Labels, bridge.Labels)
		}
	}
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if !is(pod.EnableServiceLinks, false) {
		t.Error("service links are enabled: their variables look like settings")
	}
	directories := map[string]bool{}
	for _, m := range c.VolumeMounts {
		directories[m.MountPath] = true
		if volume(pod, m.Name).Name == "" || m.SubPath != "" {
			t.Errorf("mount %+v has no volume, or would not be updated", m)
		}
	}
	files := []string{argument(c, "--config")}
	if file := argument(c, "--failed-file"); file != "" {
		files = append(files, file)
	}
	for _, v := range c.Env {
		if namesFile.MatchString(v.Name) {
			files = append(files, v.Value)
		}
	}
	for _, m := range all[*core.ConfigMap](r) {
		for line := range strings.SplitSeq(m.Data[path.Base(argument(c, "--config"))], "\n") {
			if name, file, ok := strings.Cut(strings.TrimSpace(line), "File: "); ok && !strings.Contains(name, " ") {
				files = append(files, file)
			}
		}
	}
	for _, file := range files {
		if !directories[path.Dir(file)] {
			t.Errorf("%s is not mounted: %v", file, slices.Collect(maps.Keys(directories)))
		}
	}
}

func TestNotifierWithItsOwnCredentials(t *testing.T) {
	values := documented(t)["notify"]
	r, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	d := r.notifier(t)
	c := d.Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"BRIDGE_NATS_URL": "tls://nats.nats:4222", "BRIDGE_NATS_CREDS": "/etc/mkio-bridge/secrets/natsCreds", "BRIDGE_NATS_TLS_CA": "/etc/mkio-bridge/nats-ca/ca.crt",
		"BRIDGE_SUBJECT_PREFIX": "mkio", "BRIDGE_MKIO_TOKEN_FILE": "", "BRIDGE_WEBHOOK_SECRETS_FILE": "",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	source := volume(d.Spec.Template.Spec, "secrets").Projected.Sources[0].Secret
	if source.Name != "notify-nats" || *d.Spec.Replicas != 2 || argument(c, "--failed-file") != "" || len(all[*core.PersistentVolumeClaim](r)) > 0 {
		t.Errorf("credentials of %s, %d replicas, arguments %v, claims %v", source.Name, *d.Spec.Replicas, c.Args, all[*core.PersistentVolumeClaim](r))
	}
	// The ConfigMap has the rules as they are in the values, templates included.
	var is map[string]any
	unmarshal(t, []byte(one[*core.ConfigMap](t, r).Data["rules.yaml"]), &is)
	given, want := values["notify"].(map[string]any)["rules"], map[string]any{}
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	unmarshal(t, text, &want)
	if !reflect.DeepEqual(is, want) {
		t.Errorf("the ConfigMap has %v, want %v", is, want)
	}
	policy := one[*networking.NetworkPolicy](t, r, d.Name).Spec
	var ports []string
	for _, rule := range policy.Egress {
		for _, p := range rule.Ports {
			ports = append(ports, p.Port.String())
		}
	}
	if !slices.Equal(ports, []string{"53", "53", "4222", "443", "587"}) || len(policy.Ingress[0].From) != 2 {
		t.Errorf("egress ports %v, ingress %+v", ports, policy.Ingress)
	}
}

func TestNotifierUsesTheBridgesCredentials(t *testing.T) {
	const rules = "notify: {enabled: true, existingConfigMap: c"
	for values, want := range map[string]string{
		"nats: {urls: [nats://nats:4222], user: u}\nsecrets: {natsPassword: {value: p}}\n" + rules + "}":                                                        "BRIDGE_NATS_PASSWORD_FILE",
		external + "secrets: {natsNkey: {value: p}}\n" + rules + "}":                                                                                            "BRIDGE_NATS_NKEY",
		readable + "secrets: {natsReaderToken: {value: p}}\n" + rules + "}":                                                                                     "BRIDGE_NATS_TOKEN_FILE",
		external + "secrets: {natsCreds: {value: p}}\n" + rules + ", nats: {user: notifier, password: {existingSecret: s}}}":                                    "BRIDGE_NATS_PASSWORD_FILE",
		"nats: {urls: [nats://nats:4222], user: u}\nsecrets: {natsPassword: {value: p}}\n" + rules + ", nats: {user: notifier, password: {existingSecret: s}}}": "BRIDGE_NATS_USER",
	} {
		r := mustRender(t, values)
		checkNotifier(t, r)
		var names []string
		for _, v := range r.notifier(t).Spec.Template.Spec.Containers[0].Env {
			if strings.HasPrefix(v.Name, "BRIDGE_NATS") {
				names = append(names, v.Name+"="+v.Value)
			}
			if v.Name == "BRIDGE_NATS_USER" && strings.Contains(values, "user: notifier") && v.Value != "notifier" {
				t.Errorf("%s: user %s", values, v.Value)
			}
		}
		if !strings.Contains(strings.Join(names, " "), want+"=") {
			t.Errorf("%s: variables %v, want %s", values, names, want)
		}
	}
}

func TestNotifierOfTheEmbeddedServer(t *testing.T) {
	r, err := render(documented(t)["embedded-notify"])
	if err != nil {
		t.Fatal(err)
	}
	d := r.notifier(t)
	claim := one[*core.PersistentVolumeClaim](t, r)
	if mounted := volume(d.Spec.Template.Spec, "failed").PersistentVolumeClaim; mounted == nil || mounted.ClaimName != claim.Name || d.Spec.Strategy.Type != apps.RecreateDeploymentStrategyType {
		t.Errorf("claim %s, mounted %+v, strategy %s", claim.Name, mounted, d.Spec.Strategy.Type)
	}
	if claim.Annotations["helm.sh/resource-policy"] != "keep" || *claim.Spec.StorageClassName != "fast" {
		t.Errorf("claim %+v", claim)
	}
	// The network policies of both sides let it read.
	bridge, _ := r.workload(t)
	to := one[*networking.NetworkPolicy](t, r, d.Name).Spec.Egress[1].To
	from := one[*networking.NetworkPolicy](t, r, strings.TrimSuffix(d.Name, "-notify")).Spec.Ingress[2].From
	if !permits(to, bridge.Labels) || !permits(from, d.Spec.Template.Labels) {
		t.Errorf("the notifier may connect to %+v, and the bridge accepts %+v", to, from)
	}
	// The rules are not rendered when they are in a ConfigMap of the user.
	if volume(d.Spec.Template.Spec, "rules").ConfigMap.Name != "my-rules" || len(all[*core.ConfigMap](r)) > 0 {
		t.Errorf("rules of %+v", volume(d.Spec.Template.Spec, "rules").ConfigMap)
	}
}

// permits reports whether one of the peers is a pod with the labels.
func permits(peers []networking.NetworkPolicyPeer, pod labels.Set) bool {
	return slices.ContainsFunc(peers, func(p networking.NetworkPolicyPeer) bool {
		return labels.SelectorFromSet(p.PodSelector.MatchLabels).Matches(pod)
	})
}

// A changed rule does not replace the pods: the notifier reads its file again.
func TestChangedRuleRestartsNothing(t *testing.T) {
	const values = external + "notify: {enabled: true, rules: {targets: {}, rules: [{name: %}]}}"
	before := mustRender(t, strings.Replace(values, "%", "a", 1)).notifier(t).Spec.Template
	after := mustRender(t, strings.Replace(values, "%", "b", 1)).notifier(t).Spec.Template
	if before.String() != after.String() {
		t.Error("a changed rule replaces the pods")
	}
}
