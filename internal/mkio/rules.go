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

// A Rule is a webhook rule as MK.IO returns it: which deliveries go to which URL. MK.IO masks the values of secrets, so only
// their names are here.
type Rule struct {
	Name    string
	ID      string // differs when a rule is deleted and recreated under its name
	Enabled bool
	URL     string
	Events  []string // types of deliveries

	Headers     map[string]string // sent with each delivery, readable through the API
	QueryParams map[string]string

	SecretHeaders     []string // names of authentication.headers, sorted
	SecretQueryParams []string // names of authentication.queryParams, sorted
}

// A RuleSpec is the complete desired content of a rule.
type RuleSpec struct {
	Enabled bool
	URL     string
	Events  []string

	Headers     map[string]string
	QueryParams map[string]string

	SecretHeaders     Secrets
	SecretQueryParams Secrets
}

// Secrets are values by name. No formatting verb prints the values.
type Secrets map[string]string

// String returns the names.
func (s Secrets) String() string { return fmt.Sprint(slices.Sorted(maps.Keys(s))) }

// GoString returns the names.
func (s Secrets) GoString() string { return s.String() }

// Rule reads a webhook rule. [IsNotFound] reports whether an error says that it does not exist.
func (c *Client) Rule(ctx context.Context, project, name string) (Rule, error) {
	if err := checkRuleName(name); err != nil {
		return Rule{}, err
	}
	path := rulePath(project, name)
	v, _, err := c.getObject(ctx, Urgent, project, path, nil)
	if err != nil {
		return Rule{}, err
	}
	r, ok := ruleOf(v)
	if !ok {
		return Rule{}, fmt.Errorf("GET %s: the response is not a webhook rule", path)
	}
	return r, nil
}

// Rules lists all webhook rules of a project. Those returned with an error exist; others may be missing.
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

// PutRule creates or replaces a rule and returns it. A PUT is idempotent, so it is retried like a GET.
func (c *Client) PutRule(ctx context.Context, project, name string, spec RuleSpec) (Rule, error) {
	if err := checkRuleName(name); err != nil {
		return Rule{}, err
	}
	body, err := json.Marshal(spec.json())
	if err != nil {
		return Rule{}, err
	}
	a, err := c.do(ctx, request{class: Urgent, project: project, method: http.MethodPut, path: rulePath(project, name), body: body})
	if err != nil {
		return Rule{}, spec.redactError(err)
	}
	if v, err := parse(a.body); err == nil {
		if r, ok := ruleOf(v); ok {
			return r, nil
		}
	}
	return c.Rule(ctx, project, name) // the response does not contain the rule
}

// DeleteRule deletes a rule, and MK.IO its delivery history with it. deleted is false if there was none.
func (c *Client) DeleteRule(ctx context.Context, project, name string) (deleted bool, err error) {
	if err := checkRuleName(name); err != nil {
		return false, err
	}
	a, err := c.do(ctx, request{class: Urgent, project: project, method: http.MethodDelete, path: rulePath(project, name)})
	return err == nil && a.status != http.StatusNoContent, err
}

// checkRuleName rejects names that would change the path.
func checkRuleName(name string) error {
	if !validName(name) {
		return fmt.Errorf("%q is not a valid name of a webhook rule", name)
	}
	return nil
}

func rulesPath(project string) string {
	return "/api/v1/projects/" + url.PathEscape(project) + "/webhook/rules"
}

// ruleOf reads a rule; false if the value is not one.
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

// texts returns an object's string members.
func texts(v value) map[string]string {
	found := map[string]string{}
	for _, m := range v.object() {
		if text, ok := m.text(); ok {
			found[string(m.name)] = text
		}
	}
	return found
}

// json returns the body of a PUT.
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
		Enabled: s.Enabled, URL: s.URL, Events: append([]string{}, s.Events...), // an empty list is [], not null
		pairs:          pairs{s.Headers, s.QueryParams},
		Authentication: pairs{s.SecretHeaders, s.SecretQueryParams},
	}}
}

// redactError removes the rule's secrets from an error: MK.IO may echo the request.
func (s RuleSpec) redactError(err error) error {
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
