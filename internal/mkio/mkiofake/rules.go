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

// A Rule is a webhook rule: who is told of what, and how.
type Rule struct {
	Disabled          bool
	URL               string
	Events            []string
	Headers           map[string]string
	QueryParams       map[string]string
	SecretHeaders     map[string]string // sent like Headers, read back masked
	SecretQueryParams map[string]string
}

// A rule is a Rule that was put, and the history of its deliveries.
type rule struct {
	Rule
	id, name string
	history  []*delivery // in the order of their creation
}

// PutRule puts a rule as the API does, unchecked.
func (m *MKIO) PutRule(project, name string, r Rule) {
	m.locked(func() { m.putRule(m.projects[project], name, r) })
}

// putRule replaces the whole of a rule, or makes it.
func (m *MKIO) putRule(p *project, name string, r Rule) (made *rule, created bool) {
	old, ok := p.rules[name]
	if !ok {
		old = &rule{id: newID(m.ids), name: name}
		p.rules[name] = old
	}
	old.Rule = r
	return old, !ok
}

// ruleSpec is a rule's spec in JSON.
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

// json is a rule as it is read back.
func (r *rule) json() []byte {
	enabled := !r.Disabled
	spec := ruleSpec{Enabled: &enabled, URL: &r.URL, Headers: r.Headers, QueryParams: r.QueryParams, Events: r.Events}
	if spec.Events == nil {
		spec.Events = []string{}
	}
	if len(r.SecretHeaders)+len(r.SecretQueryParams) > 0 {
		spec.Authentication = &ruleSecrets{masked(r.SecretHeaders), masked(r.SecretQueryParams)}
	}
	return encode(object{"metadata": object{"id": r.id, "name": r.name}, "spec": spec})
}

func masked(secrets map[string]string) map[string]string {
	hidden := map[string]string{}
	for name := range secrets {
		hidden[name] = "********"
	}
	return hidden
}

// parseRule reads the body of a PUT.
func (m *MKIO) parseRule(body []byte) (Rule, error) {
	var put struct {
		Spec ruleSpec `json:"spec"`
	}
	if err := json.Unmarshal(body, &put); err != nil {
		return Rule{}, fmt.Errorf("the body cannot be read: %w", err)
	}
	s := put.Spec
	if s.Enabled == nil || s.URL == nil || s.Events == nil {
		return Rule{}, errors.New("the spec needs 'enabled', 'url' and 'events'")
	}
	if target, err := url.Parse(*s.URL); err != nil || target.Host == "" || !strings.HasPrefix(target.Scheme, "http") {
		return Rule{}, fmt.Errorf("'%s' is no address to deliver to", *s.URL)
	}
	for _, event := range s.Events {
		if !slices.Contains(EventTypes(), event) || m.refused[event] {
			return Rule{}, fmt.Errorf("event type '%s' is not available for this organization", event)
		}
	}
	r := Rule{Disabled: !*s.Enabled, URL: *s.URL, Events: s.Events, Headers: s.Headers, QueryParams: s.QueryParams}
	if s.Authentication != nil {
		r.SecretHeaders, r.SecretQueryParams = s.Authentication.Headers, s.Authentication.QueryParams
	}
	return r, nil
}

// ruleRoutes answers for everything below a project's webhook rules.
func (m *MKIO) ruleRoutes(p *project, segments []string, c call) answer {
	switch {
	case p.noRules:
		return refuse(http.StatusForbidden, "Missing capability webhooks.config on this project.")
	case p.lost:
		return refuse(http.StatusNotFound, "There is no such resource.")
	case len(segments) == 0 && c.method == http.MethodGet:
		all := []json.RawMessage{}
		for _, name := range slices.Sorted(maps.Keys(p.rules)) {
			all = append(all, p.rules[name].json())
		}
		return jsonAnswer(http.StatusOK, encode(object{"value": all}))
	case len(segments) == 1 && c.method == http.MethodPut:
		return m.answerPut(p, segments[0], c.body)
	}
	if len(segments) == 0 || len(segments) > 2 || len(segments) == 2 && segments[1] != "events" {
		return refuse(http.StatusNotFound, "There is no such resource.")
	}
	r, ok := p.rules[segments[0]]
	switch {
	case len(segments) == 1 && c.method == http.MethodDelete:
		if !ok {
			return answer{status: http.StatusNoContent, header: http.Header{}}
		}
		delete(p.rules, segments[0]) // and its history with it
		return jsonAnswer(http.StatusOK, []byte(`{}`))
	case c.method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "There is no such method.")
	case !ok:
		return refuse(http.StatusNotFound, fmt.Sprintf("Webhook rule '%s' was not found.", segments[0]))
	case len(segments) == 1:
		return jsonAnswer(http.StatusOK, r.json())
	}
	return m.page(c.url, pageOf{
		label: "WebhookEvent", project: p, count: len(r.history), total: len(r.history),
		row: func(i int) ([]byte, *entry) { return r.history[i].json(), nil },
	}, c.fate)
}

func (m *MKIO) answerPut(p *project, name string, body []byte) answer {
	r, err := m.parseRule(body)
	if err != nil {
		return badRequest(err)
	}
	made, created := m.putRule(p, name, r)
	if created {
		return jsonAnswer(http.StatusCreated, made.json())
	}
	return jsonAnswer(http.StatusOK, made.json())
}
