package publish

import (
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"mkio-bridge/internal/lifecycle"
)

// A live event of the Media API has webhooks only in projects where a delivery shows it: from then on a change without one is
// recovered.
func TestMissedWebhookOfALiveEventIsRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		observe := func(project, name string, via lifecycle.Via, recorded *lifecycle.Fact, state string) {
			t.Helper()
			key, err := lifecycle.NewKey(lifecycle.LiveEvent, project, name)
			if err != nil {
				t.Fatal(err)
			}
			l.record(project+"."+name, recorded, lifecycle.Observation{Key: key, State: state, Via: via}, lifecycle.Verdict{Outcome: lifecycle.Changed})
		}
		recovered := func() float64 {
			t.Helper()
			time.Sleep(lostAfter)
			l.expire(time.Now())
			var m dto.Metric
			if err := l.recovered.WithLabelValues(string(lifecycle.LiveEvent), string(lifecycle.Poll)).Write(&m); err != nil {
				t.Fatal(err)
			}
			return m.GetCounter().GetValue()
		}
		starting, stopping := &lifecycle.Fact{State: "Starting"}, &lifecycle.Fact{State: "Stopping"}

		observe("silent", "cam1", lifecycle.Poll, starting, "Running")
		if n := recovered(); n != 0 {
			t.Fatalf("%.0f are recovered in a project without such webhooks", n)
		}
		observe("p", "cam1", lifecycle.Webhook, starting, "Running")
		observe("p", "cam2", lifecycle.Poll, starting, "Running")
		observe("silent", "cam2", lifecycle.Poll, starting, "Running")
		if n := recovered(); n != 1 {
			t.Fatalf("%.0f are recovered, want 1", n)
		}
		observe("p", "cam3", lifecycle.Poll, nil, "Stopped") // a new one, for which none is sent
		observe("p", "cam2", lifecycle.Poll, stopping, "Stopped")
		observe("p", "cam2", lifecycle.Webhook, nil, "Stopped")
		if n := recovered(); n != 1 {
			t.Fatalf("%.0f are recovered, want 1", n)
		}
		// The log shows a delivery from before this bridge started.
		observe("logged", "cam1", lifecycle.Poll, &lifecycle.Fact{State: "Running", Delivery: "d-1"}, "Stopping")
		observe("logged", "cam1", lifecycle.Poll, stopping, "Stopped")
		if n := recovered(); n != 2 {
			t.Fatalf("%.0f are recovered, want 2", n)
		}
	})
}
