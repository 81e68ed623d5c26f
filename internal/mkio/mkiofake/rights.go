package mkiofake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/right"
)

// Grant gives the token only these rights in a project, such as ams.job.get; without any, all.
func (m *MKIO) Grant(project string, rights ...string) {
	m.locked(func() { m.projects[project].granted = rights })
}

// Deny removes rights from the token in a project, or restores them.
func (m *MKIO) Deny(project string, on bool, rights ...string) {
	m.locked(func() {
		for _, r := range rights {
			m.projects[project].denied[r] = on
		}
	})
}

// Forbid removes the token's right to read a kind, or restores it.
func (m *MKIO) Forbid(project string, kind lifecycle.Kind, on bool) {
	m.Deny(project, on, rightTo(kind))
}

// ForbidRules removes the token's rights for webhook rules, or restores them.
func (m *MKIO) ForbidRules(project string, on bool) {
	const rules = "webhooks.config."
	m.Deny(project, on, rules+"get", rules+"create", rules+"update", rules+"delete")
}

// rightTo returns the right to read a resource of a kind.
func rightTo(kind lifecycle.Kind) string {
	i := slices.IndexFunc(kindInfos, func(p *kindInfo) bool { return p.kind == kind })
	segments := []string{kindInfos[i].area}
	for _, collection := range kindInfos[i].collections {
		segments = append(segments, collection, "{}")
	}
	return right.ToGet(segments...)
}

// has reports whether the token has a right in the project.
func (p *project) has(needed string) bool {
	return (p.granted == nil || slices.Contains(p.granted, needed)) && !p.denied[needed]
}

// checkRight returns the refusal of a request for which the token lacks the right; false if it has it, or the path is unknown.
func (m *MKIO) checkRight(p *project, c call) (response, bool) {
	segments := c.segments[1:]
	written, _ := m.target(p, segments)
	exists := written != nil || len(segments) > 2 && p.rules[segments[2]] != nil
	needed := right.To(c.method, exists, segments...)
	if needed == "" || p.has(needed) {
		return response{}, false
	}
	return forbidden(needed), true
}

func forbidden(rights ...string) response {
	return errorResponse(http.StatusForbidden, fmt.Sprintf("Missing capability %s on this project.", strings.Join(rights, ", ")))
}
