package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

var (
	names   = event.NewNames(event.DefaultPrefix)
	encoder = event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
)

// writtenExamples lets the bridge's own code write each example, from deliveries and records of MK.IO.
func writtenExamples(t *testing.T) map[string]example {
	t.Helper()
	examples := map[string]example{}
	add := func(name string, o lifecycle.Observation, previous *lifecycle.Fact) *lifecycle.Fact {
		e, fact := writeEvent(t, o, previous)
		examples[name] = e
		return fact
	}

	finished := observe(t, delivery(t, "job-finished.finished"))
	processing := add("event-first", observe(t, delivery(t, "job-started")), nil)
	done := add("event-changed", finished, processing)
	finished.Resource = json.RawMessage(`{"properties":{"description":"` + strings.Repeat("x", 1<<20) + `"}}`)
	add("event-resource-omitted", finished, processing)

	camera := key(t, lifecycle.LiveEvent, "harbor-live", "regatta-cam1")
	record := fixture(t, "records/media-live-event")
	running := add("event-discovered", discovered(polledRecord(t, camera, record, nil)), nil)
	failing := bytes.ReplaceAll(record, []byte("2031-05-20T06:04:31.178290Z"), []byte("2031-05-20T06:31:12.640007Z"))
	failing = bytes.Replace(failing, []byte(`"provisioningState": "Succeeded"`), []byte(`"provisioningState": "Failed"`), 1)
	failed := add("event-provisioning-failed", polledRecord(t, camera, failing, running), running)
	add("event-deleted", deletedResource(camera, failed), failed)

	cup := key(t, lifecycle.LiveAPIEvent, "harbor-live", "cup-final")
	add("event-polled", polledRecord(t, cup, fixture(t, "records/live-event"), nil), nil)
	job := key(t, lifecycle.Job, "aurora-vod", "ladder-hd", "ep-0418")
	missed := polledRecord(t, job, fixture(t, "records/job.error"), processing)
	missed.Via = lifecycle.History
	add("event-history", missed, processing)
	add("event-operation", observe(t, delivery(t, "scheduled-operation-error.assumed-states")), nil)
	instance := bytes.Replace(delivery(t, "channel-instance-started.assumed-shape"), []byte("live/liveChannels/news-247"), []byte("live/instances/news-247.eu 1"), 1)
	add("event-channel-instance", observe(t, instance), nil)

	addUnapplied(t, examples, done)
	addCoverage(t, examples)
	examples["progress"] = writeProgress(t)
	examples["notify-failed"] = writeDeadLetter(t, examples["event-history"])
	return examples
}

// writeEvent encodes an observation as the event after the previous one.
func writeEvent(t *testing.T, o lifecycle.Observation, previous *lifecycle.Fact) (example, *lifecycle.Fact) {
	t.Helper()
	if verdict := lifecycle.Decide(previous, o); !verdict.News() {
		t.Fatalf("%s %s is no event: %s", o.Key, o.State, verdict.Why)
	}
	recorded := o.SeenBefore
	if o.Delivery != nil {
		recorded = o.Delivery.Received
	}
	var m event.Message
	if err := encoder.Encode(&m, o, previous, recorded.Add(3*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	fact := m.Fact
	fact.Sequence = 4711 + fact.Transition
	return exampleOf(t, m.Subject, m.Header, m.Payload), &fact
}

// observe decodes a delivery that is received some milliseconds after it was sent.
func observe(t *testing.T, body []byte) lifecycle.Observation {
	t.Helper()
	o, err := (mkio.Decoder{}).Decode(body, sent(t, body).Add(85*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sent(t *testing.T, body []byte) time.Time {
	t.Helper()
	var envelope struct{ Time time.Time }
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Time
}

// polledRecord returns a poll's observation of a record, a second after the record changed.
func polledRecord(t *testing.T, k lifecycle.Key, record []byte, recorded *lifecycle.Fact) lifecycle.Observation {
	t.Helper()
	client, err := mkio.NewClient(mkio.ClientConfig{
		BaseURL: "https://app.mk.io", Token: func() string { return "any" }, PerMinute: 1000, Transport: recordTransport(record),
	})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := client.Get(t.Context(), mkio.Urgent, k)
	if err != nil {
		t.Fatal(err)
	}
	o := snapshot.Observation()
	snapshot.AddRecord(&o)
	return polled(o, recorded, snapshot.Modified.Truncate(time.Second).Add(2*time.Second))
}

// polled adds the poll's evidence to an observation.
func polled(o lifecycle.Observation, recorded *lifecycle.Fact, at time.Time) lifecycle.Observation {
	o.Via, o.SeenBefore, o.Basis = lifecycle.Poll, at, new(uint64)
	if recorded != nil {
		o.Basis = &recorded.Sequence
		o.SeenAfter = recorded.SeenBefore
	}
	return o
}

func discovered(o lifecycle.Observation) lifecycle.Observation {
	o.Discovered = true
	return o
}

// deletedResource returns a sweep's observation of a resource whose address responds 404.
func deletedResource(k lifecycle.Key, recorded *lifecycle.Fact) lifecycle.Observation {
	path, inside, _ := mkio.Path(k)
	o := lifecycle.Observation{Key: k, State: lifecycle.StateDeleted, Life: recorded.Life, Source: path, Subject: inside}
	return polled(o, recorded, recorded.SeenBefore.Add(time.Hour))
}

// addUnapplied stores unapplied deliveries with a publisher, and reads the messages back.
func addUnapplied(t *testing.T, examples map[string]example, done *lifecycle.Fact) {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	publisher := publish.New(nc, js, publish.Config{Names: names, BaseURL: encoder.BaseURL, Log: slog.New(slog.DiscardHandler)})
	stream, err := js.Stream(t.Context(), names.UnappliedStream())
	if err != nil {
		t.Fatal(err)
	}
	store := func(name string, body []byte, u lifecycle.Unapplied) {
		t.Helper()
		u.Body, u.Length, u.Digest = body, len(body), event.Hash(body)
		if redacted, err := mkio.RedactDelivery(body); err == nil {
			u.Body = redacted
		}
		if err := publisher.StoreUnapplied(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetLastMsgForSubject(t.Context(), names.UnappliedPrefix()+".>")
		if err != nil {
			t.Fatal(err)
		}
		examples[name] = exampleOf(t, m.Subject, m.Header, m.Data)
	}
	judged := func(name string, body []byte, want lifecycle.Reason) {
		t.Helper()
		o := observe(t, body)
		verdict := lifecycle.Decide(done, o)
		if verdict.Outcome.String() != string(want) {
			t.Fatalf("%s is %s: %s", name, verdict.Outcome, verdict.Why)
		}
		store(name, body, lifecycle.Unapplied{Reason: want, Detail: verdict.Why, Key: &o.Key, Received: o.Delivery.Received})
	}
	rejected := func(name string, body []byte, received time.Time) {
		t.Helper()
		items, err := mkio.SplitBatch(body)
		if err == nil {
			_, err = (mkio.Decoder{}).Decode(items[0], received)
		}
		rejection, ok := errors.AsType[*mkio.Rejection](err)
		if !ok {
			t.Fatalf("%s is not rejected: %v", name, err)
		}
		store(name, body, lifecycle.Unapplied{Reason: rejection.Reason, Detail: rejection.Detail, Received: received})
	}
	started := delivery(t, "job-started")
	judged("unapplied-late", bytes.Replace(started, []byte(`"id": "1e012377`), []byte(`"id": "2e012377`), 1), lifecycle.ReasonLate)
	canceled := bytes.ReplaceAll(delivery(t, "job-finished.finished"), []byte(`"Finished"`), []byte(`"Canceled"`))
	judged("unapplied-conflict", bytes.Replace(canceled, []byte(`"id": "fcaab4a4`), []byte(`"id": "acaab4a4`), 1), lifecycle.ReasonConflict)
	rejected("unapplied-malformed", started[:120], sent(t, started))
	rejected("unapplied-unrecognised", bytes.Replace(started, []byte("MediaKind.JobStarted"), []byte("Other.JobStarted"), 1), sent(t, started))
}

// addCoverage adds the records of a sweep, and of a gap before the next one.
func addCoverage(t *testing.T, examples map[string]example) {
	t.Helper()
	at := func(hour, minute, second int) time.Time {
		return time.Date(2031, 3, 4, hour, minute, second, 0, time.UTC)
	}
	to, due, closed := at(10, 0, 7), at(11, 0, 7), at(11, 42, 9)
	const unavailable = "the list of jobs is not answered: status 503"
	for name, c := range map[string]event.Coverage{
		"coverage-covered":    {Record: event.Covered, From: at(10, 0, 4), To: &to, Due: &due, Resources: 2806, Rested: 2790, Differed: 2, Repaired: 1, Horizon: 4711, RecordedTime: to.Add(40 * time.Millisecond)},
		"coverage-gap-opened": {Record: event.GapOpened, From: to, Reason: unavailable, RecordedTime: due},
		"coverage-gap-closed": {Record: event.GapClosed, From: to, To: &closed, Reason: unavailable, RecordedTime: closed.Add(40 * time.Millisecond)},
	} {
		c.Project, c.Kind = "aurora-vod", lifecycle.Job
		payload, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		header := map[string][]string{event.HeaderContentType: {"application/json"}}
		examples[name] = exampleOf(t, names.AuditSubject(c.Project, c.Kind), header, payload)
	}
}

// writeProgress writes how far a job is that a poll showed.
func writeProgress(t *testing.T) example {
	t.Helper()
	job := key(t, lifecycle.Job, "aurora-vod", "ladder-hd", "ep-0417")
	path, inside, _ := mkio.Path(job)
	msg, err := names.ProgressMessage(names.Resource(job), &event.Progress{
		Key: job, Life: "d15760bb-b323-501d-a685-3af1c869481c", Percent: 45, Output: "BuiltInStandardEncoderPreset_0",
		Time: time.Date(2031, 3, 4, 10, 12, 5, 0, time.UTC), Source: encoder.BaseURL + path, Subject: inside,
	})
	if err != nil {
		t.Fatal(err)
	}
	return exampleOf(t, msg.Subject, msg.Header, msg.Data)
}

// writeDeadLetter stores the dead letter of an event, and reads the message back.
func writeDeadLetter(t *testing.T, of example) example {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	letters, err := notify.OpenStream(t.Context(), js, names, notify.StreamOptions{Create: true, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	var attributes struct{ ID string }
	if err := json.Unmarshal(of.Payload, &attributes); err != nil {
		t.Fatal(err)
	}
	if err := letters.Store(t.Context(), notify.Letter{
		Rule: "failures", ID: attributes.ID, Subject: of.Subject, Sequence: 4713, First: 4713, Count: 1, Tries: 1,
		Reason: "the receiver responded 422 Unprocessable Entity", Event: of.Payload,
	}); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), names.NotifyFailedStream())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetLastMsgForSubject(t.Context(), names.NotifyFailedPrefix()+".>")
	if err != nil {
		t.Fatal(err)
	}
	return exampleOf(t, m.Subject, m.Header, m.Data)
}

// recordTransport is an MK.IO that returns one record.
type recordTransport []byte

func (a recordTransport) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_, err := w.Write(a)
	return w.Result(), err
}

func delivery(t *testing.T, name string) []byte {
	t.Helper()
	return fixture(t, "webhooks/"+name)
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "internal", "mkio", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func key(t *testing.T, kind lifecycle.Kind, project string, n ...string) lifecycle.Key {
	t.Helper()
	k, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
