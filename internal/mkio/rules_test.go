package mkio

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

const ruleJSON = `{"metadata":{"id":"r-1","name":"mkio-bridge"},"spec":{"enabled":true,"url":"https://bridge.test/webhooks/mkio",
	"events":["MediaKind.JobStarted"],"headers":{"X-Route":"a"},"authentication":{"headers":{"X-Webhook-Secret":"******"},"queryParams":{}}}}`

func TestRule(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/base/api/v1/projects/aurora-vod/webhook/rules/mkio-bridge" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, ruleJSON)
	})
	r, err := c.Rule(t.Context(), "aurora-vod", "mkio-bridge")
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "r-1" || r.Name != "mkio-bridge" || !r.Enabled || r.URL != "https://bridge.test/webhooks/mkio" ||
		!slices.Equal(r.Events, []string{"MediaKind.JobStarted"}) || r.Headers["X-Route"] != "a" ||
		!slices.Equal(r.SecretHeaders, []string{"X-Webhook-Secret"}) || len(r.SecretQueryParams) != 0 {
		t.Errorf("rule %+v", r)
	}
	if _, err := c.Rule(t.Context(), "aurora-vod", ".."); err == nil {
		t.Error("a name that changes the path was requested")
	}
}

func TestRules(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"value":[`+ruleJSON+`,{"metadata":{"name":"no rule"}}]}`)
	})
	all, err := c.Rules(t.Context(), "aurora-vod")
	if err != nil || len(all) != 1 || all[0].Name != "mkio-bridge" {
		t.Errorf("rules %+v, %v", all, err)
	}
}

func TestPutRuleIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		puts := 0
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			puts++
			if puts == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			body, _ := io.ReadAll(r.Body)
			var got struct {
				Spec struct {
					Enabled        bool
					URL            string
					Events         []string
					Headers        map[string]string
					Authentication struct{ Headers map[string]string }
				}
			}
			if err := json.Unmarshal(body, &got); err != nil || !got.Spec.Enabled || got.Spec.URL != "https://b.test/" || got.Spec.Events == nil ||
				got.Spec.Headers["A"] != "b" || got.Spec.Authentication.Headers["X-Webhook-Secret"] != "hunter2" {
				t.Errorf("body %s, %v", body, err)
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, ruleJSON)
		})
		r, err := c.PutRule(t.Context(), "p", "mkio-bridge", RuleSpec{
			Enabled: true, URL: "https://b.test/", Headers: map[string]string{"A": "b"}, SecretHeaders: Secrets{"X-Webhook-Secret": "hunter2"},
		})
		if err != nil || r.ID != "r-1" || puts != 2 {
			t.Errorf("rule %+v, %v after %d PUTs", r, err, puts)
		}
	})
}

func TestRefusedPutRuleIsNotRetriedAndRedactsSecrets(t *testing.T) {
	puts := 0
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		puts++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"code":"Bad","detail":"hunter2 is too short"},"status":400}`)
	})
	spec := RuleSpec{SecretHeaders: Secrets{"X-Webhook-Secret": "hunter2"}}
	_, err := c.PutRule(t.Context(), "p", "r", spec)
	if StatusOf(err) != http.StatusBadRequest || puts != 1 {
		t.Errorf("error %v after %d PUTs", err, puts)
	}
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%v %+v %#v", spec, spec, spec)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret is in %s", text)
		}
	}
}

func TestDeleteRuleReportsWhetherItExisted(t *testing.T) {
	for status, want := range map[int]bool{http.StatusOK: true, http.StatusNoContent: false} {
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if deleted, err := c.DeleteRule(t.Context(), "p", "r"); err != nil || deleted != want {
			t.Errorf("%d: deleted %t, %v", status, deleted, err)
		}
	}
}
