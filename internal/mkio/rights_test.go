package mkio

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestRightsToPoll(t *testing.T) {
	for kind, want := range map[lifecycle.Kind][]string{
		lifecycle.Job:                {"ams.job.get"},
		lifecycle.LiveOutput:         {"ams.liveeventoutput.get"},
		lifecycle.LiveChannel:        {"transform.livechannel.get"},
		lifecycle.LiveAPIEvent:       {"transform.livechannel.get", "transform.liveevent.get"},
		lifecycle.ScheduledOperation: {"scheduling.event.get"},
	} {
		if got := RightsToPoll(kind); !slices.Equal(got, want) {
			t.Errorf("%s needs %v, want %v", kind, got, want)
		}
		_, has := OwnList("p", kind)
		if has != (len(want) > 1) {
			t.Errorf("%s has a list of its own: %t", kind, has)
		}
	}
	for _, kind := range lifecycle.Kinds() {
		if kind != lifecycle.ChannelInstance && slices.Contains(RightsToPoll(kind), "") {
			t.Errorf("%s needs %q", kind, RightsToPoll(kind))
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
	if err != nil || len(page.Rows) != 1 || l.Right() != "ams.liveevent.get" {
		t.Errorf("%+v, %v, %s", page, err, l.Right())
	}
}
