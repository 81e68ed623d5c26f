package mkiofake

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Rule is a webhook rule: which deliveries go to which URL.
type Rule struct {
	Disabled          bool
	URL               string
	Events            []string
	Headers           map[string]string
	QueryParams       map[string]string
	SecretHeaders     map[string]string // sent like Headers, masked in responses
	SecretQueryParams map[string]string
}

// A rule is a stored Rule with its delivery history.
type rule struct {
	Rule
	id, name string
	history  []*delivery // in order of creation
}

// PutRule stores a rule without the API's validation.
func (m *MKIO) PutRule(project, name string, r Rule) {
	m.locked(func() { m.putRule(m.projects[project], name, r) })
}

// putRule creates or replaces a rule.
func (m *MKIO) putRule(p *project, name string, r Rule) (made *rule, created bool) {
	old, ok := p.rules[name]
	if !ok {
		old = &rule{id: newID(m.ids), name: name}
		p.rules[name] = old
	}
	old.Rule = r
	return old, !ok
}

// A ruleSpec is a rule's spec in JSON.
type ruleSpec struct {
	Enabled        *bool             `json:"enabled"`
	URL            *string           `json:"url"`
	Headers        map[string]string `json:"headers,omitempty"`
	QueryParams    map[string]string `json:"queryParams,omitempty"`
	Events         []string          `json:"events"`
	Authentication *ruleSecrets      `json:"authentication,omitempty"`
}

type ruleSecrets struct {
	Headers     map[string]string `json:"headers"`
	QueryParams map[string]string `json:"queryParams"`
}

// json returns a rule as in a response.
func (r *rule) json() []byte {
	enabled := !r.Disabled
	spec := ruleSpec{Enabled: &enabled, URL: &r.URL, Headers: r.Headers, QueryParams: r.QueryParams, Events: r.Events}
	if spec.Events == nil {
		spec.Events = []string{}
	}
	if len(r.SecretHeaders)+len(r.SecretQueryParams) > 0 {
		spec.Authentication = &ruleSecrets{maskValues(r.SecretHeaders), maskValues(r.SecretQueryParams)}
	}
	return encode(object{"metadata": object{"id": r.id, "name": r.name}, "spec": spec})
}

func maskValues(secrets map[string]string) map[string]string {
	masked := map[string]string{}
	for name := range secrets {
		masked[name] = "********"
	}
	return masked
}

// parseRule parses and validates the body of a PUT.
func (m *MKIO) parseRule(body []byte) (Rule, error) {
	var put struct {
		Spec ruleSpec `json:"spec"`
	}
	if err := json.Unmarshal(body, &put); err != nil {
		return Rule{}, fmt.Errorf("the body is not valid: %w", err)
	}
	s := put.Spec
	if s.Enabled == nil || s.URL == nil || s.Events == nil {
		return Rule{}, errors.New("the spec needs 'enabled', 'url' and 'events'")
	}
	if target, err := url.Parse(*s.URL); err != nil || target.Host == "" || !strings.HasPrefix(target.Scheme, "http") {
		return Rule{}, fmt.Errorf("'%s' is not an HTTP URL", *s.URL)
	}
	for _, event := range s.Events {
		if !slices.Contains(EventTypes(), event) || m.refusedTypes[event] {
			return Rule{}, fmt.Errorf("event type '%s' is not available for this organization", event)
		}
	}
	r := Rule{Disabled: !*s.Enabled, URL: *s.URL, Events: s.Events, Headers: s.Headers, QueryParams: s.QueryParams}
	if s.Authentication != nil {
		r.SecretHeaders, r.SecretQueryParams = s.Authentication.Headers, s.Authentication.QueryParams
	}
	return r, nil
}

// ruleRoutes responds to requests for a project's webhook rules.
func (m *MKIO) ruleRoutes(p *project, segments []string, c call) response {
	switch {
	case p.outage:
		return errorResponse(http.StatusNotFound, "There is no such resource.")
	case len(segments) == 0 && c.method == http.MethodGet:
		all := []json.RawMessage{}
		for _, name := range slices.Sorted(maps.Keys(p.rules)) {
			all = append(all, p.rules[name].json())
		}
		return jsonResponse(http.StatusOK, encode(object{"value": all}))
	case len(segments) == 1 && c.method == http.MethodPut:
		return m.putRuleResponse(p, segments[0], c.body)
	}
	if len(segments) == 0 || len(segments) > 2 || len(segments) == 2 && segments[1] != "events" {
		return errorResponse(http.StatusNotFound, "There is no such resource.")
	}
	r, ok := p.rules[segments[0]]
	switch {
	case len(segments) == 1 && c.method == http.MethodDelete:
		if !ok {
			return response{status: http.StatusNoContent, header: http.Header{}}
		}
		delete(p.rules, segments[0]) // and its history with it
		return jsonResponse(http.StatusOK, []byte(`{}`))
	case c.method != http.MethodGet:
		return errorResponse(http.StatusMethodNotAllowed, "There is no such method.")
	case !ok:
		return errorResponse(http.StatusNotFound, fmt.Sprintf("Webhook rule '%s' was not found.", segments[0]))
	case len(segments) == 1:
		return jsonResponse(http.StatusOK, r.json())
	}
	return m.page(c.url, pageSpec{
		label: "WebhookEvent", project: p, count: len(r.history), total: len(r.history), first: m.config.HistoryIgnoresOffset,
		row: func(i int) ([]byte, *trackedChange) { return r.history[i].json(), nil },
	}, c.faults)
}

func (m *MKIO) putRuleResponse(p *project, name string, body []byte) response {
	r, err := m.parseRule(body)
	if err != nil {
		return badRequest(err)
	}
	made, created := m.putRule(p, name, r)
	if created {
		return jsonResponse(http.StatusCreated, made.json())
	}
	return jsonResponse(http.StatusOK, made.json())
}
