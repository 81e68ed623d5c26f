package publish_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

func unapplied(body string) lifecycle.Unapplied {
	return lifecycle.Unapplied{
		Reason: lifecycle.ReasonMalformed, Detail: "no JSON: \"é\"\r\n", Body: []byte(body),
		Digest: event.Hash([]byte(body)), Length: len(body), Received: noon,
	}
}

func storedUnapplied(t *testing.T, f *fixture) []eventlog.Unapplied {
	t.Helper()
	var all []eventlog.Unapplied
	for k, err := range eventlog.New(f.js, names).Unapplied(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
		schematest.Unapplied(t, headerOf(t, f.js, names.UnappliedStream(), k.Sequence))
	}
	return all
}

// headerOf returns the headers of a stored message.
func headerOf(t *testing.T, js jetstream.JetStream, stream string, sequence uint64) nats.Header {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	return m.Header
}

func TestUnappliedBodyIsStoredOnce(t *testing.T) {
	f := setUp(t)
	late := unapplied("two")
	job := key(t, lifecycle.Job, "t", "n.1")
	late.Reason, late.Key = lifecycle.ReasonLate, &job
	for range 3 {
		for _, u := range []lifecycle.Unapplied{unapplied("one"), late} {
			if err := f.publisher(false, nil).StoreUnapplied(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := storedUnapplied(t, f)
	if len(all) != 2 {
		t.Fatalf("%d are stored", len(all))
	}
	if k := all[0]; k.Reason != lifecycle.ReasonMalformed || k.Detail != "no JSON: \"é\"\r\n" || string(k.Body) != "one" || k.Length != 3 || !k.Received.Equal(noon) {
		t.Errorf("stored %+v", k)
	}
	if want := "mkio-unapplied.late.job.aurora-vod.t.n=2E1." + late.Digest[:32]; all[1].Subject != want {
		t.Errorf("stored on %s, want %s", all[1].Subject, want)
	}
}

func TestStoreUnappliedFailuresBeforeAndAfterStoring(t *testing.T) {
	lost := errors.New("connection lost")
	for how, spoil := range map[string]func(jetstream.JetStream) jetstream.JetStream{
		"not stored": func(js jetstream.JetStream) jetstream.JetStream {
			return &faultyJetStream{JetStream: js, instead: lost}
		},
		"stored but reported failed": func(js jetstream.JetStream) jetstream.JetStream { return &faultyJetStream{JetStream: js, after: lost} },
	} {
		t.Run(how, func(t *testing.T) {
			f := setUp(t)
			p := f.publisher(false, spoil)
			if err := p.StoreUnapplied(t.Context(), unapplied("one")); !errors.Is(err, publish.ErrUnavailable) {
				t.Errorf("the failure is not returned: %v", err)
			}
			if err := p.StoreUnapplied(t.Context(), unapplied("one")); err != nil { // MK.IO delivers again
				t.Error(err)
			}
			if all := storedUnapplied(t, f); len(all) != 1 {
				t.Errorf("%d are stored", len(all))
			}
		})
	}
}

// A push consumer can deliver messages of one stream to subjects of another. The messages' expected-stream header makes the
// other stream refuse them.
func TestStreamsRejectCopiesOfOtherStreams(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	f.want(p, delivery(key(t, lifecycle.Job, "t", "n"), "Queued", 1), lifecycle.Changed)
	if err := p.StoreUnapplied(t.Context(), unapplied("one")); err != nil {
		t.Fatal(err)
	}
	if err := p.Load(t.Context()); err != nil { // waits for the server to fill the bucket
		t.Fatal(err)
	}
	nc, js := f.server.Connect()
	legacy, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"MKIO_EVENTS": "mkio-unapplied.late.x", "MKIO_UNAPPLIED": "mkio.job.evil.a.b.finished", "KV_mkio_state": "mkio.job.evil.a.c.finished",
	} {
		pushed, err := nc.SubscribeSync(to) // a push consumer needs interest in its subject
		if err != nil {
			t.Fatal(err)
		}
		if _, err := legacy.AddConsumer(from, &nats.ConsumerConfig{Durable: "push", DeliverSubject: to, AckPolicy: nats.AckNonePolicy}); err != nil {
			t.Fatal(err)
		}
		if _, err := pushed.NextMsgWithContext(t.Context()); err != nil {
			t.Errorf("%s to %s: nothing was pushed: %v", from, to, err)
		}
	}
	for _, name := range []string{"MKIO_EVENTS", "MKIO_UNAPPLIED", "KV_mkio_state"} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if state := stream.CachedInfo().State; state.Msgs != 1 || state.LastSeq != 1 {
			t.Errorf("%s took a copy: %+v", name, state)
		}
	}
}

func TestUnappliedBodyOverThePayloadLimitIsCut(t *testing.T) {
	f := setUp(t)
	body := strings.Repeat("x", 3<<20)
	if err := f.publisher(false, nil).StoreUnapplied(t.Context(), unapplied(body)); err != nil {
		t.Fatal(err)
	}
	all := storedUnapplied(t, f)
	if len(all) != 1 || all[0].Length != len(body) || all[0].Digest != event.Hash([]byte(body)) || len(all[0].Body) < 1<<19 || !bytes.HasPrefix([]byte(body), all[0].Body) {
		t.Errorf("stored %d, %d bytes of %d", len(all), len(all[0].Body), all[0].Length)
	}
}

func TestFullUnappliedStreamRefusesAndDeletesNothing(t *testing.T) {
	f := &fixture{t: t, server: brokertest.Start(t)}
	_, f.js = f.server.Connect()
	if _, err := f.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "MKIO_UNAPPLIED", Subjects: []string{"mkio-unapplied.>"}, MaxBytes: 4 << 10, Discard: jetstream.DiscardNew, AllowDirect: true,
	}); err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(t.Context(), f.js, streams.Config{Names: names, Replicas: 1, Create: true, MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	p := f.publisher(false, nil)
	if err := p.StoreUnapplied(t.Context(), unapplied("one")); err != nil {
		t.Fatal(err)
	}
	if err := p.StoreUnapplied(t.Context(), unapplied(strings.Repeat("x", 5<<10))); !errors.Is(err, publish.ErrUnavailable) {
		t.Errorf("stored in a full stream: %v", err)
	}
	if all := storedUnapplied(t, f); len(all) != 1 || string(all[0].Body) != "one" {
		t.Errorf("stored %+v", all)
	}
}

// racedJetStream is a JetStream to which another bridge sends the same message first. While that write is in flight, a
// replicated stream refuses the second with a code of its own.
type racedJetStream struct {
	jetstream.JetStream
	stored bool // the other bridge's write is stored in the end
	writes int
}

const refusals = 3

func (o *racedJetStream) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if o.writes++; o.writes > refusals {
		return o.JetStream.PublishMsg(ctx, m, opts...)
	}
	if o.writes == refusals && o.stored {
		if _, err := o.JetStream.PublishMsg(ctx, m, opts...); err != nil {
			return nil, err
		}
	}
	return nil, &jetstream.APIError{Code: 400, ErrorCode: 10164, Description: "wrong last sequence"}
}

// When two bridges store one delivery at once, the second waits for the result of the first's write: the delivery is stored
// once and both succeed, whether or not that first write was stored.
func TestTwoBridgesStoreOneUnappliedDelivery(t *testing.T) {
	for _, lands := range []bool{true, false} {
		f := setUp(t)
		second := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream { return &racedJetStream{JetStream: js, stored: lands} })
		if err := second.StoreUnapplied(t.Context(), unapplied("one")); err != nil {
			t.Errorf("the other's write is stored %t: %v", lands, err)
		}
		if all := storedUnapplied(t, f); len(all) != 1 {
			t.Errorf("the other's write is stored %t: %d are stored", lands, len(all))
		}
	}
}
