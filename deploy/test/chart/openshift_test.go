package chart

import (
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

// openShift returns the capabilities of an OpenShift cluster. Its security context constraints refuse users and groups
// outside the namespace's range.
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
				t.Errorf("%s: %s sets a user or a group: %+v", name, pod, s)
			}
			if !is(s.RunAsNonRoot, true) || s.SeccompProfile == nil {
				t.Errorf("%s: %s lost the rest of its security context: %+v", name, pod, s)
			}
		}
	}
}

func TestExplicitUserIsUsedOnOpenShift(t *testing.T) {
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

// The chart may be rendered without access to an OpenShift cluster.
func TestUserAndGroupsCanBeUnset(t *testing.T) {
	for pod, spec := range mustRender(t, "{podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}}").pods(t) {
		if s := spec.SecurityContext; s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil || !is(s.RunAsNonRoot, true) {
			t.Errorf("%s: %+v", pod, s)
		}
	}
}
