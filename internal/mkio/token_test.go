package mkio

import (
	"encoding/base64"
	"testing"
)

func TestTokenOrganisation(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]string{
		`{"organizationId":"org-1"}`:                       "org-1",
		`{"organisationId":"org-1"}`:                       "org-1",
		`{"organization_id":"org-1"}`:                      "org-1",
		`{"org_id":"org-1"}`:                               "org-1",
		`{"orgId":"org-2","organizationId":"org-1"}`:       "org-1",
		`{"organizationId":"","orgId":"org-1"}`:            "org-1",
		`{"organizationId":7,"orgId":{"id":"x"}}`:          "",
		`{"organization":"a name","oid":"a user","exp":1}`: "",
		`[]`: "",
		`{`:  "",
	} {
		if got := TokenOrganisation("h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"); got != want {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
	for _, token := range []string{"", "opaque", "a.b", "a.%.c"} {
		if got := TokenOrganisation(token); got != "" {
			t.Errorf("%q: %q", token, got)
		}
	}
}

func TestTokenType(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]TokenType{
		`{"type":"restricted"}`:                   TokenRestricted,
		`{"tokenType":"full-access"}`:             TokenFullAccess,
		`{"type":"JWT","token_type":"ephemeral"}`: TokenEphemeral,

		`{"type":7}`:               "",
		`{"type":"something new"}`: "",
		`{"organizationId":"org-1","exp":1931000000}`: "",
	} {
		if got := TokenTypeOf("h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"); got != want {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
}
