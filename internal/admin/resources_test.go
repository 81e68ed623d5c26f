package admin

import (
	"bufio"
	"encoding/json"
	"net/http"
	"testing"

	"mkio-bridge/internal/schematest"
)

func TestResourceList(t *testing.T) {
	f := setUp(t)
	f.deliver("job-started.json")
	f.deliver("streaming-locator-created.json")
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/v1/resources": 2, "/v1/resources?kind=job": 1, "/v1/resources?project=nobody": 0, "/v1/resources?stuck=true": 0, "/v1/resources?stuck=false": 2, "/v1/resources?state=CREATED&name=ep-0417-pub": 1} {
		response := serveRequest(f.routes(), http.MethodGet, target, nil)
		lines := 0
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); lines++ {
			var r struct {
				Sequence uint64
				Subject  string
				Event    json.RawMessage
			}
			if err := json.Unmarshal(scanner.Bytes(), &r); err != nil || r.Sequence == 0 || r.Subject == "" {
				t.Errorf("%s: line %s, %v", target, scanner.Bytes(), err)
			}
			schematest.Event(t, r.Event)
		}
		if response.Code != http.StatusOK || lines != want {
			t.Errorf("%s: status %d, %d lines, want %d", target, response.Code, lines, want)
		}
	}
}
