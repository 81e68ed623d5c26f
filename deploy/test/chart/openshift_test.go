package chart

import (
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

// openShift is what a cluster of OpenShift says of itself: its security context constraints refuse a user or a group of
// others than the namespace's.
func openShift() *chartutil.Capabilities {
	c := *chartutil.DefaultCapabilities
	c.APIVersions = append(slices.Clone(c.APIVersions), "security.openshift.io/v1")
	return &c
}

func TestOpenShiftChoosesUserAndGroups(t *testing.T) {
	for name, values := range documented(t) {
		r, err := renderOn(values, openShift())
		if err != nil {
			t.Fatal(err)
		}
		for pod, spec := range r.pods(t) {
			s := spec.SecurityContext
			if s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil {
				t.Errorf("%s: %s asks for a user or a group of its own: %+v", name, pod, s)
			}
			if !is(s.RunAsNonRoot, true) || s.SeccompProfile == nil {
				t.Errorf("%s: %s lost the rest of its security context: %+v", name, pod, s)
			}
		}
	}
}

func TestAUserOfOnesOwnIsKeptOnOpenShift(t *testing.T) {
	r, err := renderOn(parse(t, "{podSecurityContext: {runAsUser: 1000680000}}"), openShift())
	if err != nil {
		t.Fatal(err)
	}
	for pod, spec := range r.pods(t) {
		if u := spec.SecurityContext.RunAsUser; u == nil || *u != 1000680000 {
			t.Errorf("%s: user %v", pod, u)
		}
	}
}

// Where the chart is rendered without the cluster.
func TestUserAndGroupsCanBeLeftOut(t *testing.T) {
	for pod, spec := range mustRender(t, "{podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}}").pods(t) {
		if s := spec.SecurityContext; s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil || !is(s.RunAsNonRoot, true) {
			t.Errorf("%s: %+v", pod, s)
		}
	}
}
