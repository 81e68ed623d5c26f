package openapitest

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDocumentIsOpenAPI(t *testing.T) {
	problems, err := Validate()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// A response that the document does not describe is a problem, and so is a request that is accepted and not described.
func TestUndescribedExchangesAreProblems(t *testing.T) {
	const level, problem = `{"level": "info"}`, `{"type": "about:blank", "title": "Not Found", "status": 404}`
	tests := []struct {
		name          string
		method, path  string
		body          string // of the request
		status        int
		media, answer string
		header        string // one more of the response, as name: value
		want          string // part of the problem; "": none
	}{
		{name: "described", path: "/v1/log-level", status: 200, media: "application/json", answer: level},
		{name: "an unknown member", path: "/v1/log-level", status: 200, media: "application/json", answer: `{"level": "info", "colour": "red"}`, want: "colour"},
		{name: "a missing member", path: "/v1/log-level", status: 200, media: "application/json", answer: `{}`, want: "level"},
		{name: "no time", path: "/v1/log-level", status: 200, media: "application/json", answer: `{"level": "info", "until": "tomorrow"}`, want: "until"},
		{name: "an unknown status", path: "/v1/log-level", status: 418, media: "application/problem+json", answer: problem, want: "418"},
		{name: "another media type", path: "/v1/log-level", status: 200, media: "text/csv", answer: "level", want: "text/csv"},
		{name: "no body is described", path: "/livez", status: 200, media: "text/plain", answer: "fine", want: "no body"},
		{name: "an unknown header", path: "/v1/log-level", status: 200, media: "application/json", answer: level, header: "X-Colour: red", want: "X-Colour"},
		{name: "a missing header", path: "/v1/resources", status: 429, media: problemJSON, answer: problem, want: "Retry-After"},
		{name: "an unknown parameter", path: "/v1/log-level?colour=red", status: 200, media: "application/json", answer: level, want: "colour"},
		{name: "an unknown parameter that is refused", path: "/v1/log-level?colour=red", status: 400, media: problemJSON, answer: problem},
		{name: "an accepted body", method: "PUT", path: "/v1/log-level", body: `{"level": 5}`, status: 200, media: "application/json", answer: level, want: "level"},
		{name: "an unknown path", path: "/v1/colours", status: 200, media: "application/json", answer: "{}", want: "no such request"},
		{name: "an unknown path that is refused", path: "/v1/colours", status: 404, media: problemJSON, answer: problem},
		{name: "an error that is no problem document", path: "/v1/colours", status: 404, media: "text/plain", answer: "no", want: "text/plain"},
		{name: "a name with a slash", path: "/v1/resources/job/aurora-vod/ladder-hd/a%2Fb", status: 404, media: problemJSON, answer: problem},
		{name: "a stream", path: "/v1/events?from=1", status: 200, media: "text/event-stream", answer: "event: log\n\n", header: "Cache-Control: no-store"},
		{name: "a parameter of the wrong type", path: "/v1/events?from=first", status: 200, media: "text/event-stream", header: "Cache-Control: no-store", want: "from"},
	}
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(cmp.Or(tt.method, http.MethodGet), tt.path, strings.NewReader(tt.body))
			request.Header.Set("Content-Type", "application/json")
			x := begin(httptest.NewRecorder(), request)
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", tt.media)
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = fmt.Fprint(w, tt.answer)
			}).ServeHTTP(x, x.request)
			got := strings.Join(d.problems(x), "\n")
			if tt.want == "" && got != "" || !strings.Contains(strings.ToLower(got), strings.ToLower(tt.want)) {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
}
