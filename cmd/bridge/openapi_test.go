package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/openapitest"
)

func TestMain(m *testing.M) { openapitest.Main(m) }

// operations returns what the OpenAPI document describes.
func operations(t *testing.T) []openapitest.Operation {
	t.Helper()
	all, err := openapitest.Operations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each route of the admin listener is described in the OpenAPI document, with the role that it needs, and each operation that is
// described there has a route.
func TestRoutesAreDescribed(t *testing.T) {
	var registered recordedRoutes
	bridgeWithTokens(t).registerAdminRoutes(&registered, false)
	mux := http.NewServeMux()
	for _, pattern := range registered {
		mux.HandleFunc(pattern, notFound)
	}
	var described []string
	for _, o := range operations(t) {
		if o.Tag == "webhook" {
			if o.Path != webhookPath {
				t.Errorf("%s is not the path of the webhook listener", o.Path)
			}
			continue
		}
		_, pattern := mux.Handler(httptest.NewRequest(o.Method, "http://"+adminHost+o.Target, nil))
		if pattern == "/" {
			t.Errorf("%s %s is described and has no route", o.Method, o.Path)
			continue
		}
		described = append(described, pattern)
		if role := leastRole(accessTable[pattern].want); role != o.LeastRole {
			t.Errorf("%s %s: the least role is %s, and %s in the document", o.Method, o.Path, role, o.LeastRole)
		}
	}
	for _, pattern := range registered {
		if pattern != "/" && !slices.Contains(described, pattern) {
			t.Errorf("%s is not described in the OpenAPI document", pattern)
		}
	}
}

// leastRole returns the role that an endpoint needs, given how it answers each client.
func leastRole(a access) string {
	switch {
	case a[0] != http.StatusUnauthorized:
		return "none"
	case a[1] == http.StatusForbidden:
		return "admin"
	}
	return "viewer"
}

// routesTable lists the operations of the OpenAPI document.
func routesTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| request | answers | for |\n|---|---|---|\n")
	for _, o := range operations(t) {
		if o.Tag == "webhook" {
			continue
		}
		who := map[string]string{"none": "everyone", "viewer": "viewers, admins", "admin": "admins"}[o.LeastRole]
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", o.Method, o.Path, o.Summary, who)
	}
	return b.String()
}
