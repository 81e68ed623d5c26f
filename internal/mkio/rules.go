package mkio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Rule is a webhook rule as MK.IO shows it: who is told of what. What authenticates its deliveries is
// read back masked, so only the names are here.
type Rule struct {
	Name    string
	ID      string // another one under the same name is another rule
	Enabled bool
	URL     string
	Events  []string // types of deliveries

	Headers     map[string]string // sent with each delivery, for everyone to read
	QueryParams map[string]string

	SecretHeaders     []string // names of authentication.headers, sorted
	SecretQueryParams []string // names of authentication.queryParams, sorted
}

// A RuleSpec is what a rule is to be, the whole of it.
type RuleSpec struct {
	Enabled bool
	URL     string
	Events  []string

	Headers     map[string]string
	QueryParams map[string]string

	SecretHeaders     Secrets
	SecretQueryParams Secrets
}

// Secrets are values by name that no way of printing shows.
type Secrets map[string]string

// String tells the names.
func (s Secrets) String() string { return fmt.Sprint(slices.Sorted(maps.Keys(s))) }

// GoString tells the names.
func (s Secrets) GoString() string { return s.String() }

// Rule asks for a webhook rule. [IsNotFound] tells the error of one that does not exist.
func (c *Client) Rule(ctx context.Context, project, name string) (Rule, error) {
	if err := ruleNamed(name); err != nil {
		return Rule{}, err
	}
	path := rulePath(project, name)
	v, _, err := c.get(ctx, Urgent, project, path, nil)
	if err != nil {
		return Rule{}, err
	}
	r, ok := ruleOf(v)
	if !ok {
		return Rule{}, fmt.Errorf("GET %s: the answer is no webhook rule", path)
	}
	return r, nil
}

// Rules asks for all webhook rules of a project. Those that it returns with an error exist; others may be missing.
func (c *Client) Rules(ctx context.Context, project string) ([]Rule, error) {
	var all []Rule
	pages := c.pages(project, rulesPath(project), nil)
	for pages.More() {
		items, _, err := pages.next(ctx, Urgent)
		if err != nil {
			return all, err
		}
		for item := range items.elements() {
			if r, ok := ruleOf(item); ok {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// PutRule makes a rule, or replaces the whole of it, and returns it as it is then. To put it twice is to
// put it once, so it is tried again like a question.
func (c *Client) PutRule(ctx context.Context, project, name string, spec RuleSpec) (Rule, error) {
	if err := ruleNamed(name); err != nil {
		return Rule{}, err
	}
	body, err := json.Marshal(spec.json())
	if err != nil {
		return Rule{}, err
	}
	a, err := c.do(ctx, request{class: Urgent, project: project, method: http.MethodPut, path: rulePath(project, name), body: body})
	if err != nil {
		return Rule{}, spec.hideIn(err)
	}
	if v, err := parse(a.body); err == nil {
		if r, ok := ruleOf(v); ok {
			return r, nil
		}
	}
	return c.Rule(ctx, project, name) // the answer does not show it
}

// DeleteRule deletes a rule and its delivery history with it. deleted is false where there was none.
func (c *Client) DeleteRule(ctx context.Context, project, name string) (deleted bool, err error) {
	if err := ruleNamed(name); err != nil {
		return false, err
	}
	a, err := c.do(ctx, request{class: Urgent, project: project, method: http.MethodDelete, path: rulePath(project, name)})
	return err == nil && a.status != http.StatusNoContent, err
}

// ruleNamed refuses names that would lead to another address.
func ruleNamed(name string) error {
	if !usable(name) {
		return fmt.Errorf("%q can be no name of a webhook rule", name)
	}
	return nil
}

func rulesPath(project string) string {
	return "/api/v1/projects/" + url.PathEscape(project) + "/webhook/rules"
}

// ruleOf reads a rule; false for what is none.
func ruleOf(v value) (Rule, bool) {
	top := v.object()
	metadata, spec := top.at("metadata").object(), top.at("spec").object()
	var r Rule
	var named, addressed bool
	r.Name, named = metadata.text("name")
	r.ID, _ = metadata.text("id")
	r.URL, addressed = spec.text("url")
	if !named || !addressed || json.Unmarshal(spec.at("enabled"), &r.Enabled) != nil || json.Unmarshal(spec.at("events"), &r.Events) != nil {
		return Rule{}, false
	}
	r.Headers, r.QueryParams = texts(spec.at("headers")), texts(spec.at("queryParams"))
	authentication := spec.at("authentication").object()
	r.SecretHeaders = authentication.at("headers").object().names()
	r.SecretQueryParams = authentication.at("queryParams").object().names()
	return r, true
}

// texts reads an object's members that are strings.
func texts(v value) map[string]string {
	found := map[string]string{}
	for _, m := range v.object() {
		if text, ok := m.text(); ok {
			found[string(m.name)] = text
		}
	}
	return found
}

// json is the body of a PUT.
func (s RuleSpec) json() any {
	type pairs struct {
		Headers     map[string]string `json:"headers,omitempty"`
		QueryParams map[string]string `json:"queryParams,omitempty"`
	}
	type spec struct {
		Enabled bool     `json:"enabled"`
		URL     string   `json:"url"`
		Events  []string `json:"events"`
		pairs
		Authentication pairs `json:"authentication"`
	}
	return map[string]any{"spec": spec{
		Enabled: s.Enabled, URL: s.URL, Events: append([]string{}, s.Events...), // a list, even of nothing
		pairs:          pairs{s.Headers, s.QueryParams},
		Authentication: pairs{s.SecretHeaders, s.SecretQueryParams},
	}}
}

// hideIn takes the secrets out of an error: MK.IO may repeat what it was sent.
func (s RuleSpec) hideIn(err error) error {
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return err
	}
	for _, secrets := range []Secrets{s.SecretHeaders, s.SecretQueryParams} {
		for _, value := range secrets {
			if value != "" {
				api.Code = strings.ReplaceAll(api.Code, value, redacted)
				api.Detail = strings.ReplaceAll(api.Detail, value, redacted)
			}
		}
	}
	return err
}
