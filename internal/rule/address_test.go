package rule

import (
	"strings"
	"testing"
)

// What the bridge would answer 404 is no address of it. Slashes that are too many are taken off.
func TestAnAddressIsOneThatTheBridgeServes(t *testing.T) {
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
			t.Errorf("%s is taken as %s", public, got)
		}
	}
	if _, err := Address("https://b.test/prefix"); err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), Path) {
		t.Errorf("the error is %v", err)
	}
}

// A rule that an earlier bridge registered with a slash at the end is this bridge's, and is put right without force.
func TestARuleWithASlashAtItsEndIsPutRight(t *testing.T) {
	k, m := newKeeper(t)
	mustKeep(t, k, false)
	old := m.specs[k.Name]
	old.URL = address + "/"
	m.specs[k.Name] = old
	if c := mustKeep(t, k, false); c.None() {
		t.Error("it was left as it was")
	}
	if got := m.specs[k.Name].URL; got != address {
		t.Errorf("it delivers to %s", got)
	}
}
