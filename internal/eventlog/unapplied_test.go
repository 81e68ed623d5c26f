package eventlog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// storeUnapplied stores an unapplied delivery of a resource (without names: of none).
func (f *fixture) storeUnapplied(reason lifecycle.Reason, kind lifecycle.Kind, project string, n ...string) {
	f.t.Helper()
	f.n++
	body := fmt.Sprint("body ", f.n)
	u := lifecycle.Unapplied{
		Reason: reason, Detail: "why", Body: []byte(body), Digest: event.Hash([]byte(body)), Length: len(body), Received: noon,
	}
	if len(n) > 0 {
		key, err := lifecycle.NewKey(kind, project, n...)
		if err != nil {
			f.t.Fatal(err)
		}
		u.Key = &key
	}
	if err := f.publisher.StoreUnapplied(f.t.Context(), u); err != nil {
		f.t.Fatal(err)
	}
}

func TestUnappliedQuery(t *testing.T) {
	f := setUp(t)
	long, longer := strings.Repeat("n", 100), strings.Repeat("é", 300)                                             // one that may be in full in a subject, and one that is always cut
	f.storeUnapplied(lifecycle.ReasonMalformed, "", "")                                                            // 1
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.Job, "vod", "ladder", "a.b")                                  // 2
	f.storeUnapplied(lifecycle.ReasonConflict, lifecycle.LiveChannel, "live", "a.b")                               // 3
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.ScheduledOperation, "live", "live-event", "e", "a.b")         // 4
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.Asset, "vod", long)                                           // 5
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.Asset, "vod", longer)                                         // 6
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.ScheduledOperation, "live", longer[:300], longer[:298], long) // 7
	f.storeUnapplied(lifecycle.ReasonUnrecognised, "", "")                                                         // 8
	for _, tt := range []struct {
		name  string
		query eventlog.UnappliedQuery
		want  string
	}{
		{"all", eventlog.UnappliedQuery{}, "1 2 3 4 5 6 7 8"},
		{"a reason", eventlog.UnappliedQuery{Reasons: []lifecycle.Reason{lifecycle.ReasonMalformed}}, "1"},
		{"two reasons", eventlog.UnappliedQuery{Reasons: []lifecycle.Reason{lifecycle.ReasonMalformed, lifecycle.ReasonConflict}}, "1 3"},
		{"a reason twice", eventlog.UnappliedQuery{Reasons: []lifecycle.Reason{lifecycle.ReasonConflict, lifecycle.ReasonConflict}}, "3"},
		{"a kind", eventlog.UnappliedQuery{Kinds: []lifecycle.Kind{lifecycle.Job}}, "2"},
		{"a project", eventlog.UnappliedQuery{Projects: []string{"live"}}, "3 4 7"},
		{"a name of any kind", eventlog.UnappliedQuery{Name: "a.b"}, "2 3 4"},
		{"a long name, whole and cut", eventlog.UnappliedQuery{Name: long}, "5 7"},
		{"a longer name", eventlog.UnappliedQuery{Name: longer}, "6"},
		{"another name that begins the same", eventlog.UnappliedQuery{Name: longer + "x"}, ""},
		{"everything", eventlog.UnappliedQuery{Reasons: []lifecycle.Reason{lifecycle.ReasonLate}, Kinds: []lifecycle.Kind{lifecycle.Job}, Projects: []string{"vod"}, Name: "a.b"}, "2"},
		{"a name that is a wildcard", eventlog.UnappliedQuery{Name: "*"}, ""},
		{"a project that is a wildcard", eventlog.UnappliedQuery{Projects: []string{">"}}, ""},
		{"since long ago", eventlog.UnappliedQuery{Since: time.Now().Add(-time.Hour)}, "1 2 3 4 5 6 7 8"},
		{"since later", eventlog.UnappliedQuery{Since: time.Now().Add(time.Hour)}, ""},
		{"until long ago", eventlog.UnappliedQuery{Until: time.Now().Add(-time.Hour)}, ""},
	} {
		var found []string
		for k, err := range f.log.QueryUnapplied(t.Context(), tt.query) {
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			found = append(found, fmt.Sprint(k.Sequence))
		}
		if got := strings.Join(found, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUnappliedAt(t *testing.T) {
	f := setUp(t)
	f.storeUnapplied(lifecycle.ReasonLate, lifecycle.Job, "vod", "ladder", "a.b")
	k, ok, err := f.log.UnappliedAt(t.Context(), 1)
	if err != nil || !ok || k.Resource != "job.vod.ladder.a=2Eb" || string(k.Body) != "body 1" || !k.Received.Equal(noon) || k.Delivery().Cut() {
		t.Errorf("delivery %+v, %t, %v", k, ok, err)
	}
	if _, ok, err := f.log.UnappliedAt(t.Context(), 2); ok || err != nil {
		t.Errorf("a missing one: %t, %v", ok, err)
	}
	for k, err := range f.log.QueryUnapplied(t.Context(), eventlog.UnappliedQuery{NoBody: true}) {
		if err != nil || len(k.Body) > 0 || k.Detail != "why" {
			t.Errorf("without its body: %+v, %v", k, err)
		}
	}
}

// A foreign message does not hide those after it.
func TestForeignUnappliedMessageIsReportedAndSkipped(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"mkio-unapplied.>"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := js.Publish(t.Context(), "mkio-unapplied.late.x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	var wrong []string
	for k, err := range eventlog.New(js, names).QueryUnapplied(t.Context(), eventlog.UnappliedQuery{}) {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("MKIO_UNAPPLIED, message %d: not a delivery", k.Sequence)) {
			t.Errorf("delivery %+v, %v", k, err)
		}
		wrong = append(wrong, fmt.Sprint(k.Sequence))
	}
	if len(wrong) != 2 {
		t.Errorf("found %v", wrong)
	}
	if _, ok, err := eventlog.New(js, names).UnappliedAt(t.Context(), 1); ok || err == nil {
		t.Errorf("one of them: %t, %v", ok, err)
	}
}
