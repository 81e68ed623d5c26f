package mkio

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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
	return firstClaim(token, organisationClaims, func(organisation string) bool { return organisation != "" })
}

// A TokenType is what MK.IO calls the type of a token.
type TokenType string

// The types of tokens. The first and the last are short-lived.
const (
	TokenLogin      TokenType = "login"
	TokenFullAccess TokenType = "full-access"
	TokenRestricted TokenType = "restricted"
	TokenEphemeral  TokenType = "ephemeral"
)

// typeClaims are the names of the claim that may hold the type. MK.IO documents that a token has it, but not the name; the
// request for a token uses the first.
var typeClaims = []string{"type", "tokenType", "token_type"}

// TokenTypeOf returns the type of a token, unverified; "" if the token has none of the documented types.
func TokenTypeOf(token string) TokenType {
	return TokenType(firstClaim(token, typeClaims, func(text string) bool {
		return slices.Contains([]TokenType{TokenLogin, TokenFullAccess, TokenRestricted, TokenEphemeral}, TokenType(text))
	}))
}

// firstClaim returns the first of the named claims that is a usable string; "" if there is none.
func firstClaim(token string, names []string, usable func(string) bool) string {
	var claims map[string]json.RawMessage
	if json.Unmarshal(claimsOf(token), &claims) != nil {
		return ""
	}
	for _, name := range names {
		var text string
		if json.Unmarshal(claims[name], &text) == nil && usable(text) {
			return text
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
