package mkiofake

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// NewToken returns a token like MK.IO's: a JWT of one organisation, with an invalid signature. end is its expiry; zero: none.
func NewToken(organization string, end time.Time) string {
	claims := object{
		"jti": idOf("token", organization, formatTime(end)), "type": "full-access", "user": idOf("person"),
		"organizationId": OrganizationID(organization),
	}
	if !end.IsZero() {
		claims["exp"] = end.Unix()
	}
	parts := [][]byte{encode(object{"alg": "RS256", "typ": "JWT", "kid": idOf("key")}), encode(claims), []byte("no signature")}
	var text []string
	for _, part := range parts {
		text = append(text, base64.RawURLEncoding.EncodeToString(part))
	}
	return strings.Join(text, ".")
}

// organizationOf returns the organisation id in a token; "" if there is none.
func organizationOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		OrganizationID string `json:"organizationId"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.OrganizationID
}

// AddOrganization adds another organisation at the same address: requests with one of its tokens are served by other. It has
// its own projects, faults, token, clock and changes, and needs its own Run.
func (m *MKIO) AddOrganization(other *MKIO) {
	m.locked(func() { m.organizations[OrganizationID(other.config.Organization)] = other })
}

// organizationFor returns the organisation that a request's token belongs to.
func (m *MKIO) organizationFor(authorization string) *MKIO {
	token, _ := strings.CutPrefix(authorization, "Bearer ")
	m.mu.Lock()
	defer m.mu.Unlock()
	if other, ok := m.organizations[organizationOf(token)]; ok {
		return other
	}
	return m
}

// RecreateProject replaces a project by a new one of the same name: with another id, without rules and resources. The
// resources of the old one are gone without a recorded change, because the API now shows another project.
func (m *MKIO) RecreateProject(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.projects[name]
	for _, resources := range old.kinds {
		for _, r := range resources {
			delete(m.resources, r.key)
		}
	}
	m.projects[name] = newProject(old.organization, name, old.generation+1, m.clock.wallTime(m.clock.stamp()))
}
