package chart

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// These properties hold for every combination of values.
func TestEveryDocumentedCombination(t *testing.T) {
	for name, values := range documented(t) {
		t.Run(name, func(t *testing.T) {
			for _, message := range lint.All(chartDir, values, namespace, true).Messages {
				if message.Severity > support.InfoSev {
					t.Error(message)
				}
			}
			r, err := render(values)
			if err != nil {
				t.Fatal(err)
			}
			checkObjects(t, r)
			checkPods(t, r)
			checkProbes(t, r)
			checkSelectors(t, r)
			checkNotifier(t, r)
			checkSecrets(t, r, values)
			checkFiles(t, r)
		})
	}
}

func checkObjects(t *testing.T, r *rendering) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range r.objects {
		kind, _ := json.Marshal(o)
		var m meta.TypeMeta
		_ = json.Unmarshal(kind, &m) // it was marshalled from such an object
		id := m.Kind + " " + o.GetName()
		if seen[id] {
			t.Errorf("%s is rendered twice", id)
		}
		seen[id] = true
		if o.GetNamespace() != namespace {
			t.Errorf("%s is in namespace %q", id, o.GetNamespace())
		}
	}
	if !strings.Contains(r.notes, "/mkio-bridge doctor") {
		t.Errorf("the notes do not name mkio-bridge doctor:\n%s", r.notes)
	}
}

// checkPods checks every pod against the restricted pod security standard, and for a read-only root file system and
// resources.
func checkPods(t *testing.T, r *rendering) {
	t.Helper()
	for name, pod := range r.pods(t) {
		p := pod.SecurityContext
		if p == nil || !is(p.RunAsNonRoot, true) || p.RunAsUser == nil || *p.RunAsUser == 0 || p.SeccompProfile == nil || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: security context of the pod %+v", name, p)
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("%s uses host namespaces", name)
		}
		if !is(pod.AutomountServiceAccountToken, false) {
			t.Errorf("%s mounts a service account token", name)
		}
		for _, c := range append(pod.InitContainers, pod.Containers...) {
			s := c.SecurityContext
			if s == nil || !is(s.AllowPrivilegeEscalation, false) || !is(s.ReadOnlyRootFilesystem, true) || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
				t.Errorf("%s: security context of %s %+v", name, c.Name, s)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: %s has resources %v", name, c.Name, c.Resources)
			}
		}
		for _, v := range pod.Volumes {
			if v.HostPath != nil {
				t.Errorf("%s: volume %s is a hostPath", name, v.Name)
			}
		}
	}
	if template, _ := r.workload(t); !is(template.Spec.EnableServiceLinks, false) {
		t.Error("service links are enabled: their variables look like the bridge's")
	}
}

func is(value *bool, want bool) bool { return value != nil && *value == want }

func checkProbes(t *testing.T, r *rendering) {
	t.Helper()
	template, _ := r.workload(t)
	c := template.Spec.Containers[0]
	for _, want := range []struct {
		path  string
		probe *core.Probe
	}{{"/livez", c.StartupProbe}, {"/livez", c.LivenessProbe}, {"/readyz", c.ReadinessProbe}} {
		probe := want.probe
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want.path || probe.HTTPGet.Port.StrVal != "admin" || probe.TimeoutSeconds < 5 {
			t.Errorf("probe of %s: %+v", want.path, probe)
		}
	}
	if grace := *template.Spec.TerminationGracePeriodSeconds; grace < 15 {
		t.Errorf("terminationGracePeriodSeconds is %d", grace)
	}
}

// checkSelectors checks that every selector matches the bridge's pods and not the helm test's.
func checkSelectors(t *testing.T, r *rendering) {
	t.Helper()
	template, own := r.workload(t)
	test := all[*core.Pod](r)[0]
	selectors := map[string]*meta.LabelSelector{"workload": own}
	ports := map[string]bool{}
	for _, p := range template.Spec.Containers[0].Ports {
		ports[p.Name] = true
	}
	for _, s := range slices.DeleteFunc(all[*core.Service](r), isNotifier) {
		selectors["Service "+s.Name] = &meta.LabelSelector{MatchLabels: s.Spec.Selector}
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.StrVal] {
				t.Errorf("Service %s targets port %q, which the pod lacks", s.Name, p.TargetPort.StrVal)
			}
		}
	}
	for _, b := range all[*policy.PodDisruptionBudget](r) {
		selectors["PodDisruptionBudget"] = b.Spec.Selector
	}
	for _, c := range template.Spec.TopologySpreadConstraints {
		selectors["spread over "+c.TopologyKey] = c.LabelSelector
	}
	for name, selector := range selectors {
		s, err := meta.LabelSelectorAsSelector(selector)
		if err != nil || !s.Matches(labels.Set(template.Labels)) || s.Matches(labels.Set(test.Labels)) || len(selector.MatchLabels) == 0 {
			t.Errorf("%s selects %v (%v)", name, selector, err)
		}
		for key := range selector.MatchLabels {
			if !slices.Contains([]string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}, key) {
				t.Errorf("%s selects by %s, which may change with an upgrade", name, key)
			}
		}
	}
	for _, s := range all[*apps.StatefulSet](r) {
		for _, claim := range s.Spec.VolumeClaimTemplates {
			if len(claim.Labels) != 3 {
				t.Errorf("the claim has labels that an upgrade would change, but claim templates are immutable: %v", claim.Labels)
			}
		}
	}
}
