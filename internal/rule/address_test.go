package rule

import (
	"strings"
	"testing"
)

// A path at which the bridge would respond 404 is an error. Duplicate slashes are removed.
func TestAddressAcceptsOnlyPathsThatTheBridgeServes(t *testing.T) {
	for public, want := range map[string]string{
		"https://b.test/webhooks/mkio":      "https://b.test/webhooks/mkio",
		"https://b.test/webhooks/mkio/":     "https://b.test/webhooks/mkio",
		"https://b.test//webhooks//mkio//":  "https://b.test/webhooks/mkio",
		"https://b.test/in/webhooks/mkio/":  "https://b.test/in/webhooks/mkio",
		"https://b.test:8443/webhooks/mkio": "https://b.test:8443/webhooks/mkio",
	} {
		if got, err := Address(public); err != nil || got != want {
			t.Errorf("%s: %s, %v", public, got, err)
		}
	}
	for _, public := range []string{
		"https://b.test/prefix", "https://b.test/in/mkio", "https://b.test/webhooks", "https://b.test/webhooks/mkio/x", "https://b.test/Webhooks/mkio",
		"https://b.test/xwebhooks/mkio", "https://b.test/webhooks%2Fmkio", "https://b.test/in%2Fto/webhooks/mkio", "https://:8443", "https://:8443/webhooks/mkio",
	} {
		if got, err := Address(public); err == nil {
			t.Errorf("%s is accepted as %s", public, got)
		}
	}
	if _, err := Address("https://b.test/prefix"); err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), WebhookPath) {
		t.Errorf("the error is %v", err)
	}
}

// A rule whose URL has a trailing slash, as older versions registered it, is this bridge's and needs no force.
func TestARuleWithATrailingSlashIsUpdated(t *testing.T) {
	r, m := newReconciler(t)
	mustReconcile(t, r, false)
	old := m.specs[r.Name]
	old.URL = address + "/"
	m.specs[r.Name] = old
	if c := mustReconcile(t, r, false); c.Empty() {
		t.Error("the rule was not updated")
	}
	if got := m.specs[r.Name].URL; got != address {
		t.Errorf("the rule delivers to %s", got)
	}
}
