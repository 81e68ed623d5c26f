package mkio

import (
	"fmt"
	"net/http"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestEveryPolledKindHasACapability(t *testing.T) {
	for _, kind := range lifecycle.Kinds() {
		if kind != lifecycle.ChannelInstance && capabilities[kind] == "" {
			t.Errorf("%s has none", kind)
		}
	}
}

func TestProbeAsksForOneRow(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if top := r.URL.Query().Get("$top"); top != "1" {
			t.Errorf("$top is %q", top)
		}
		fmt.Fprint(w, `{"value":[{"name":"e1"}]}`)
	})
	l := Lists("p", []lifecycle.Kind{lifecycle.LiveEvent})[0]
	page, err := c.Probe(t.Context(), l)
	if err != nil || len(page.Rows) != 1 || l.Capabilities() != "ams.liveevent.get" {
		t.Errorf("%+v, %v, %s", page, err, l.Capabilities())
	}
}
