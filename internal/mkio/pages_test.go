package mkio

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// A page with an unusable next link is returned, and the next call fails.
func TestPageWithUnusableLinkIsReturned(t *testing.T) {
	for _, next := range []string{`"%zz"`, `"no query"`, `17`, `{}`, `true`} {
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"value": [{"name": "a"}, {"name": "b"}], "@odata.nextLink": %s}`, next)
		})
		names, err := walk(t, c, lifecycle.Asset)
		if err == nil || strings.Join(names, "") != "ab" {
			t.Errorf("link %s: names %q, error %v", next, names, err)
		}
	}
}

// A next link that is not a string announces a page too; its offset leads there.
func TestUnreadableLinkFallsBackToTheOffset(t *testing.T) {
	for _, next := range []string{`17`, `{}`, `["?$skiptoken=1"]`} {
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("$skiptoken") == "1" {
				fmt.Fprint(w, assetPage("b", ""))
				return
			}
			fmt.Fprintf(w, `{"value": [{"name": "a"}], "supplemental": {"pagination": {"end": 1}}, "@odata.nextLink": %s}`, next)
		})
		if names, err := walk(t, c, lifecycle.Asset); err != nil || strings.Join(names, "") != "ab" {
			t.Errorf("link %s: names %q, error %v", next, names, err)
		}
	}
}

// A full last page may link to an empty one, whatever that links to.
func TestEmptyPageEndsTheList(t *testing.T) {
	for _, next := range []string{``, `, "@odata.nextLink": "?$skiptoken=2"`, `, "@odata.nextLink": "%zz"`, `, "@odata.nextLink": 1`} {
		requests := 0
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			if requests++; r.URL.Query().Get("$skiptoken") == "" {
				fmt.Fprint(w, assetPage("a", "?$skiptoken=1"))
				return
			}
			fmt.Fprintf(w, `{"value": []%s}`, next)
		})
		if names, err := walk(t, c, lifecycle.Asset); err != nil || requests != 2 || strings.Join(names, "") != "a" {
			t.Errorf("%s: %d requests, names %q, error %v", next, requests, names, err)
		}
	}
}

// Projects and rules of the pages before a failed one are returned with the error.
func TestPagesBeforeAFailureAreReturned(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("$skiptoken") != "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		row := `{"metadata": {"name": "a"}, "spec": {"url": "https://bridge.test", "enabled": true, "events": []}}`
		fmt.Fprintf(w, `{"value": [%s], "@odata.nextLink": "?$skiptoken=1"}`, row)
	})
	projects, err := c.Projects(t.Context())
	if StatusOf(err) != http.StatusForbidden || len(projects) != 1 {
		t.Errorf("projects %+v, error %v", projects, err)
	}
	rules, err := c.Rules(t.Context(), "aurora-vod")
	if StatusOf(err) != http.StatusForbidden || len(rules) != 1 {
		t.Errorf("rules %+v, error %v", rules, err)
	}
}

// A list that refuses the page size is asked for fewer rows, from then on at once. Any other 400 is an error.
func TestAPageSizeThatIsRefusedIsLowered(t *testing.T) {
	var asked []string
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		top := r.URL.Query().Get("$top")
		asked = append(asked, top)
		switch {
		case top != "200", strings.HasSuffix(r.URL.Path, "/contentKeyPolicies"):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"code":"x","detail":"refused with %s"},"status":400}`, top)
		case r.URL.Query().Get("$skiptoken") == "":
			fmt.Fprint(w, assetPage("a", "?$skiptoken=200"))
		default:
			fmt.Fprint(w, assetPage("b", ""))
		}
	})
	for range 2 {
		if names, err := walk(t, c, lifecycle.Asset); err != nil || strings.Join(names, "") != "ab" {
			t.Errorf("names %q, error %v", names, err)
		}
	}
	if got := strings.Join(asked, " "); got != "1000 200 200 200 200" {
		t.Errorf("asked for %s rows", got)
	}
	if _, err := walk(t, c, lifecycle.ContentKeyPolicy); StatusOf(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "with 1000") {
		t.Errorf("error %v", err)
	}
}
