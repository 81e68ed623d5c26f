//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// startFilled starts a server whose streams a bridge created and wrote to. The bridge has stopped, so messages published
// after the return are from others.
func startFilled(t *testing.T) *natsWithAccounts {
	t.Helper()
	g := startWithAccounts(t)
	env := g.env("mkio-bridge", "bridge", startMKIO(t)...)
	p := bridgetest.StartBridge(t, env...)
	checkStatus(t, p, http.StatusNoContent, "job-started.json")
	checkStatus(t, p, http.StatusNoContent, "job-finished.finished.json")
	if status := p.Deliver([]byte("{}"), "X-Webhook-Secret", secret); status != http.StatusBadRequest { // stored as malformed
		t.Fatalf("status %d", status)
	}
	g.await("mkio-audit.>")
	p.StopGracefully()
	js, err := jetstream.New(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	awaitKey(t, js, "mkio_state", "job.aurora-vod.ladder-hd.ep-0417")
	g.rest()
	return g
}

// A reader's permissions suffice for every way to read, and each of them is used.
func TestReaderPermissionsAreSufficientAndMinimal(t *testing.T) {
	g := startFilled(t)
	env := g.env("mkio-reader", "reader")
	for command, want := range map[string]string{
		"events":            "aurora-vod/ladder-hd/ep-0417",
		"state --kind job":  "aurora-vod/ladder-hd/ep-0417",
		"verify":            "root ",
		"audit --since 24h": "aurora-vod",
		"unapplied list":    "malformed",
		"unapplied show 1":  "malformed",
		"wait job aurora-vod ladder-hd ep-0417 --for Finished": "",
	} {
		out, errs, code := bridgetest.Run(t, env, strings.Fields(command)...)
		if code != exitOK && !strings.HasPrefix(command, "audit") || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d: %s%s", command, code, out, errs)
		}
	}
	js, err := jetstream.New(g.connect("mkio-reader", "reader", nats.CustomInboxPrefix("_INBOX_READER")))
	if err != nil {
		t.Fatal(err)
	}
	g.putProgress()
	readAll(t, js)
	if out, errs, code := bridgetest.Run(t, env, "state"); code != exitOK {
		t.Errorf("state: exit %d: %s%s", code, out, errs)
	}
	checkUsed(t, publishPermissions(t, ""), g.rest())
	g.checkNothingRefused()
}

// readAll reads the streams and the bucket in the ways that services use.
func readAll(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.AccountInfo(t.Context()); err != nil {
		t.Error(err)
	}
	name, err := js.StreamNameBySubject(t.Context(), "mkio.job.>")
	if err != nil || name != "MKIO_EVENTS" {
		t.Errorf("the stream of mkio.job.> is %q, %v", name, err)
	}
	log, err := js.Stream(t.Context(), "MKIO_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.GetMsg(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if _, err := log.GetLastMsgForSubject(t.Context(), "mkio.job.>"); err != nil {
		t.Error(err)
	}
	for _, stream := range []string{"MKIO_EVENTS", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_state"} { // without direct get
		s, err := js.Conn().RequestWithContext(t.Context(), "$JS.API.STREAM.MSG.GET."+stream, []byte(`{"last_by_subj":">"}`))
		if err != nil || !strings.Contains(string(s.Data), `"message"`) {
			t.Errorf("%s: %v, %v", stream, s, err)
		}
	}
	worker, err := js.CreateConsumer(t.Context(), "MKIO_EVENTS", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "mkio.job.>"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := worker.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Errorf("acknowledge: %v", err)
		}
	}
	if info, err := worker.Info(t.Context()); err != nil || info.NumPending != 0 || info.NumAckPending != 0 {
		t.Errorf("consumer %+v, %v", info, err)
	}
	if err := js.DeleteConsumer(t.Context(), "MKIO_EVENTS", "worker"); err != nil {
		t.Error(err)
	}
	state, err := js.KeyValue(t.Context(), "mkio_state")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Get(t.Context(), "job.aurora-vod.ladder-hd.ep-0417"); err != nil {
		t.Error(err)
	}
	awaitKey(t, js, "mkio_state", "job.aurora-vod.>")
	progress, err := js.KeyValue(t.Context(), "mkio_progress")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := progress.Get(t.Context(), "job.aurora-vod.ladder-hd.ep-0417"); err != nil {
		t.Error(err)
	}
}

// putProgress stores how far a job is, as a bridge would that polls jobs.
func (g *natsWithAccounts) putProgress() {
	g.t.Helper()
	if err := g.admin.Publish("$KV.mkio_progress.job.aurora-vod.ladder-hd.ep-0417", []byte("{}")); err != nil {
		g.t.Fatal(err)
	}
	if err := g.admin.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

// No request of a reader changes a stream.
func TestReaderCannotWrite(t *testing.T) {
	g := startFilled(t)
	nc := g.connect("mkio-reader", "reader", nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	before := g.state()
	for name, try := range map[string]func(context.Context) error{
		"publish to the log": func(ctx context.Context) error {
			_, err := js.Publish(ctx, "mkio.job.aurora-vod.evil.evil.finished", nil, jetstream.WithRetryAttempts(0))
			return err
		},
		"put into a bucket": func(ctx context.Context) error {
			_, err := js.Publish(ctx, "$KV.mkio_bridge.evil", nil, jetstream.WithRetryAttempts(0))
			return err
		},
		"create a stream": func(ctx context.Context) error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "EVIL", Subjects: []string{"evil"}})
			return err
		},
		"edit the log": func(ctx context.Context) error {
			_, err := js.UpdateStream(ctx, jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, MaxAge: time.Minute})
			return err
		},
		"delete the log": func(ctx context.Context) error { return js.DeleteStream(ctx, "MKIO_EVENTS") },
		"delete a message": func(ctx context.Context) error {
			s, err := js.Stream(ctx, "MKIO_UNAPPLIED")
			if err == nil {
				err = s.DeleteMsg(ctx, 1)
			}
			return err
		},
		"purge": func(ctx context.Context) error {
			s, err := js.Stream(ctx, "MKIO_UNAPPLIED")
			if err == nil {
				err = s.Purge(ctx)
			}
			return err
		},
		"read the leases": func(ctx context.Context) error { _, err := js.Stream(ctx, "KV_mkio_lease"); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := try(ctx); err == nil {
			t.Errorf("a reader may %s", name)
		}
		cancel()
	}
	// The server sends a response to any reply subject, also to one that a stream stores.
	for request, body := range map[string]string{
		"$JS.API.INFO": "", "$JS.API.STREAM.NAMES": "", "$JS.API.DIRECT.GET.MKIO_UNAPPLIED": `{"seq":1}`, "$JS.API.STREAM.MSG.GET.MKIO_EVENTS": `{"seq":1}`,
	} {
		for _, reply := range []string{"mkio.job.a.b.c.finished", "mkio-unapplied.evil", "$KV.mkio_bridge.evil"} {
			if err := nc.PublishRequest(request, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	pushAnywhere(t, nc)
	if _, err := js.AccountInfo(t.Context()); err != nil { // its response comes after the effects of the requests above
		t.Fatal(err)
	}
	if after := g.state(); after != before {
		t.Errorf("the streams changed to %s, from %s", after, before)
	}
}

// pushAnywhere creates push consumers that deliver to subjects of streams and of the JetStream API. It then waits for a
// message of one that delivers to an inbox: by then the others would have delivered as well.
func pushAnywhere(t *testing.T, nc *nats.Conn) {
	t.Helper()
	inbox := "_INBOX_READER." + nats.NewInbox()
	pushed, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for i, subject := range []string{"mkio.job.a.b.c.pushed", "mkio-unapplied.evil.pushed", "$KV.mkio_bridge.pushed", "$JS.API.STREAM.PURGE.MKIO_UNAPPLIED", inbox} {
		request := fmt.Sprintf(`{"stream_name":"MKIO_UNAPPLIED","config":{"name":"push%d","deliver_subject":%q,"ack_policy":"none","inactive_threshold":60000000000}}`, i, subject)
		reply, err := nc.RequestWithContext(t.Context(), fmt.Sprintf("$JS.API.CONSUMER.CREATE.MKIO_UNAPPLIED.push%d", i), []byte(request))
		if err != nil {
			t.Fatal(err)
		}
		if refused := strings.Contains(string(reply.Data), `"error"`); refused && subject == inbox {
			t.Fatalf("%s", reply.Data)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := pushed.NextMsgWithContext(ctx); err != nil {
		t.Fatalf("no message is pushed: %v", err)
	}
}

// state returns the number of messages and the last sequence of each stream.
func (g *natsWithAccounts) state() string {
	g.t.Helper()
	js, err := jetstream.New(g.admin)
	if err != nil {
		g.t.Fatal(err)
	}
	var all strings.Builder
	streams := js.ListStreams(g.t.Context())
	for info := range streams.Info() {
		if info.Config.Name != "KV_mkio_lease" { // its keys expire
			fmt.Fprintf(&all, "%s %d/%d ", info.Config.Name, info.State.Msgs, info.State.LastSeq)
		}
	}
	if err := streams.Err(); err != nil {
		g.t.Fatal(err)
	}
	return all.String()
}

// The user of mkio-bridge replay may read the log and publish to the replay's subjects only.
func TestReplayPermissionsAreSufficientAndMinimal(t *testing.T) {
	g := startFilled(t)
	js, err := jetstream.New(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "REPLAY", Subjects: []string{"replay.>"}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	g.rest()
	env := g.env("mkio-replay", "replay")
	for _, want := range []string{"2 events", "nothing to publish"} {
		if out, errs, code := bridgetest.Run(t, env, "replay", "replay", "--kind", "job"); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit %d: %s%s", code, out, errs)
		}
	}
	checkUsed(t, publishPermissions(t, "mkio-replay"), g.rest())
	g.checkNothingRefused()
	nc := g.connect("mkio-replay", "replay", nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err := errors.Join(nc.Publish("mkio.job.a.b.c.finished", nil), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := nc.LastError(); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("publishing to the log: %v", err)
	}
}
