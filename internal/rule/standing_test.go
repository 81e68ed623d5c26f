package rule

import (
	"errors"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
)

// How a rule stands is what MK.IO has after the reconciliation, and it has no secret.
func TestStandingOfARule(t *testing.T) {
	const other = "https://user:REDACT-ME@other.test/REDACT-ME?key=REDACT-ME"
	tests := []struct {
		name    string
		prepare func(r *Reconciler, m *fakeMKIO)
		state   event.RuleState
		enabled string // "": not known
		url     string
		reason  string // part of it
	}{
		{"registered now", func(*Reconciler, *fakeMKIO) {}, event.RuleRight, "true", address, ""},
		{"as it was", func(r *Reconciler, _ *fakeMKIO) { mustReconcile(t, *r, false) }, event.RuleRight, "true", address, ""},
		{"of another bridge", func(_ *Reconciler, m *fakeMKIO) {
			m.specs["mkio-bridge"] = spec{ID: "x", Enabled: true, URL: other, Events: []string{}}
		}, event.RuleWrong, "true", "https://other.test", "may be another bridge's"},
		{"disabled by somebody else", func(_ *Reconciler, m *fakeMKIO) {
			m.specs["mkio-bridge"] = spec{ID: "x", URL: address, Events: []string{}}
		}, event.RuleWrong, "false", address, "stays disabled"},
		{"may not be read", func(_ *Reconciler, m *fakeMKIO) { m.mayRead = false }, event.RuleUnknown, "", "", "lacks webhooks.config.get"},
		{"may not be created", func(_ *Reconciler, m *fakeMKIO) { m.mayPut = false }, event.RuleMissing, "", "", "lacks webhooks.config.create"},
		{"may not be updated", func(_ *Reconciler, m *fakeMKIO) {
			m.specs["mkio-bridge"] = spec{ID: "x", Enabled: true, URL: address, Events: []string{}}
			m.mayPut = false
		}, event.RuleWrong, "true", address, "lacks webhooks.config.update"},
		{"no secret", func(r *Reconciler, _ *fakeMKIO) { r.Secret = func() string { return "" } }, event.RuleUnknown, "", "", "no secret"},
	}
	for _, tt := range tests {
		r, m := newReconciler(t)
		tt.prepare(&r, m)
		got := StandingOf(reconcile(t, r, false))
		enabled := ""
		if got.Enabled != nil {
			enabled = map[bool]string{true: "true", false: "false"}[*got.Enabled]
		}
		if got.State != tt.state || enabled != tt.enabled || got.URL != tt.url || !strings.Contains(got.Reason, tt.reason) || !got.Managed || got.Rule != "mkio-bridge" {
			t.Errorf("%s: %+v, enabled %q, want %+v", tt.name, got, enabled, tt)
		}
		if (got.Reason == "") != (tt.reason == "") {
			t.Errorf("%s: reason %q", tt.name, got.Reason)
		}
	}
	if got := StandingOf(Change{Rule: "x"}, errors.New("no answer")); got.State != event.RuleUnknown || got.Reason != "no answer" {
		t.Errorf("%+v", got)
	}
}
