package mkio

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// TokenExpiresSoon is how long before its expiry a token counts as expiring soon: a person has to create another.
const TokenExpiresSoon = 7 * 24 * time.Hour

// TokenExpiry returns the expiry of a token, unverified: MK.IO verifies it. ok is false for a token without one.
func TokenExpiry(token string) (end time.Time, ok bool) {
	var claims struct {
		Expiry float64 `json:"exp"` // seconds since 1970
	}
	if json.Unmarshal(claimsOf(token), &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Expiry), 0).UTC(), true
}

// organisationClaims are the names of the claim that may hold the organisation; the first found counts. MK.IO documents that
// a token has it, but not the name; the record of a token uses the first.
var organisationClaims = []string{"organizationId", "organisationId", "organization_id", "organisation_id", "orgId", "org_id"}

// TokenOrganisation returns the organisation of a token, unverified: MK.IO verifies it; "" if the token does not name it.
func TokenOrganisation(token string) string {
	var claims map[string]json.RawMessage
	if json.Unmarshal(claimsOf(token), &claims) != nil {
		return ""
	}
	for _, name := range organisationClaims {
		var organisation string
		if json.Unmarshal(claims[name], &organisation) == nil && organisation != "" {
			return organisation
		}
	}
	return ""
}

// claimsOf returns a token's claims as JSON; nil if it is not a JWT.
func claimsOf(token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	return payload
}
