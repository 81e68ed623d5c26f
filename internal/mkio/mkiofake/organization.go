package mkiofake

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// NewToken makes a token as MK.IO does: a JWT of one organisation, whose signature nobody can check. Zero: no end.
func NewToken(organization string, end time.Time) string {
	claims := object{
		"jti": idOf("token", organization, written(end)), "type": "personal", "user": idOf("person"),
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

// organizationOf is what a token says of its organisation; "" for one that says nothing.
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

// Beside puts another organisation at the same address: requests with a token of that one are answered from it. It
// keeps its own projects, faults, token, clock and truth, and runs by itself.
func (m *MKIO) Beside(other *MKIO) {
	m.locked(func() { m.beside[OrganizationID(other.config.Organization)] = other })
}

// answering is the organisation that a request's token belongs to.
func (m *MKIO) answering(authorization string) *MKIO {
	token, _ := strings.CutPrefix(authorization, "Bearer ")
	m.mu.Lock()
	defer m.mu.Unlock()
	if other, ok := m.beside[organizationOf(token)]; ok {
		return other
	}
	return m
}

// Anew makes a project anew: it has another id, no rules and nothing in it. What was in the old one is no more, and
// no change says that it was deleted: who asks for it asks another project.
func (m *MKIO) Anew(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.projects[name]
	for _, resources := range old.kinds {
		for _, r := range resources {
			delete(m.resources, r.key)
		}
	}
	m.projects[name] = newProject(old.organization, name, old.nth+1, m.clock.shown(m.clock.stamp()))
}
