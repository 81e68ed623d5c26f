package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/broker"
)

func config(dir string) broker.EmbeddedConfig {
	return broker.EmbeddedConfig{
		StoreDir: dir, Listen: "127.0.0.1:0", ReadSubjects: []string{"mkio.>", "mkio-unapplied.>"}, Log: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, c broker.EmbeddedConfig) *broker.Embedded {
	t.Helper()
	e, err := broker.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	return e
}

// owner connects as the bridge does.
func owner(t *testing.T, e *broker.Embedded) jetstream.JetStream {
	t.Helper()
	nc, err := e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return stream(t, nc)
}

func stream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// settingOf returns the setting of a SettingError; "" for any other error.
func settingOf(err error) broker.Setting {
	wrong, _ := errors.AsType[broker.SettingError](err)
	return wrong.Setting
}

// reader connects to the client port without credentials.
func reader(t *testing.T, e *broker.Embedded) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+e.Addr(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// createStreams creates a log with two messages, another stream and a bucket. Readers that subscribe afterwards get none of
// these messages.
func createStreams(t *testing.T, e *broker.Embedded, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	var seen []*nats.Subscription
	if e.Addr() != "" {
		seen = subscribe(t, reader(t, e), "mkio.a.b", "mkio.a.c", "mkio-unapplied.x")
	}
	log, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"mkio-unapplied.>"}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_state"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "a.b", "one"); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"mkio.a.b", "mkio.a.c", "mkio-unapplied.x"} {
		if _, err := js.Publish(t.Context(), subject, []byte("hi")); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range seen {
		if _, err := sub.NextMsgWithContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

// subscribe subscribes, and returns when the server has registered the subscriptions.
func subscribe(t *testing.T, nc *nats.Conn, subjects ...string) []*nats.Subscription {
	t.Helper()
	var subs []*nats.Subscription
	for _, subject := range subjects {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return subs
}

func TestStoreIsReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	for _, always := range []bool{true, false} {
		c := config(dir)
		c.SyncAlways, c.SyncInterval = always, time.Second
		e := start(t, c)
		js := owner(t, e)
		log, err := js.Stream(t.Context(), "MKIO_EVENTS")
		if always {
			log, err = createStreams(t, e, js), nil
		}
		if err != nil || log.CachedInfo().State.Msgs != 0 && log.CachedInfo().State.Msgs != 2 {
			t.Errorf("log %v, %v", log, err)
		}
		if _, err := broker.Start(config(dir)); err == nil || !errors.Is(err, broker.ErrInUse) || settingOf(err) != broker.StoreDir || !strings.Contains(err.Error(), dir) {
			t.Errorf("a second server on the same store: %v", err)
		}
		e.Shutdown()
		e.Shutdown()
	}
}

func TestStartErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inTheWay := t.TempDir()
	if err := os.WriteFile(filepath.Join(inTheWay, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		change  func(*broker.EmbeddedConfig)
		setting broker.Setting
		want    []string
	}{
		{"a file in place of the store", func(c *broker.EmbeddedConfig) { c.StoreDir = file }, broker.StoreDir, []string{file}},
		{"a store below a file", func(c *broker.EmbeddedConfig) { c.StoreDir = filepath.Join(file, "x") }, broker.StoreDir, nil},
		{"a store that the server cannot use", func(c *broker.EmbeddedConfig) { c.StoreDir = inTheWay }, broker.StoreDir, []string{inTheWay}},
		{"a port in use", func(c *broker.EmbeddedConfig) { c.Listen = taken.Addr().String() }, broker.Listen, []string{taken.Addr().String(), "in use"}},
		{"an address of another machine", func(c *broker.EmbeddedConfig) { c.Listen = "192.0.2.1:4222" }, broker.Listen, nil},
		{"no port", func(c *broker.EmbeddedConfig) { c.Listen = "127.0.0.1:nats" }, broker.Listen, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t.TempDir())
			tt.change(&c)
			began := time.Now()
			e, err := broker.Start(c)
			if err == nil {
				e.Shutdown()
			}
			if settingOf(err) != tt.setting {
				t.Errorf("error %v, want one of setting %s", err, tt.setting)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			t.Logf("after %s: %v", time.Since(began).Round(time.Millisecond), err)
		})
	}
}

func TestReaderAccess(t *testing.T) {
	e := start(t, config(t.TempDir()))
	own := owner(t, e)
	createStreams(t, e, own)
	nc := reader(t, e)
	js := stream(t, nc)

	live := subscribe(t, nc, "mkio.>")[0]
	if _, err := own.Publish(t.Context(), "mkio.a.d", nil); err != nil {
		t.Fatal(err)
	}
	if m, err := live.NextMsgWithContext(t.Context()); err != nil || m.Subject != "mkio.a.d" {
		t.Errorf("subscribe: %v, %v", m, err)
	}
	log, err := js.Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || log.CachedInfo().State.Msgs != 3 {
		t.Fatalf("stream info: %v", err)
	}
	if m, err := log.GetLastMsgForSubject(t.Context(), "mkio.a.*"); err != nil || m.Subject != "mkio.a.d" {
		t.Errorf("direct get: %v, %v", m, err)
	}
	durable, err := js.CreateConsumer(t.Context(), "MKIO_EVENTS", jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m, err := durable.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Errorf("acknowledge: %v", err)
		}
	}
	kv, err := js.KeyValue(t.Context(), "mkio_state")
	if err != nil {
		t.Fatal(err)
	}
	if entry, err := kv.Get(t.Context(), "a.b"); err != nil || string(entry.Value()) != "one" {
		t.Errorf("bucket: %v", err)
	}
	watcher, err := kv.WatchAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if entry := <-watcher.Updates(); entry == nil || entry.Key() != "a.b" {
		t.Errorf("watch: %v", entry)
	}
	if err := watcher.Stop(); err != nil {
		t.Error(err)
	}
	legacy, err := nc.JetStream() // push consumers, as older clients use
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := legacy.SubscribeSync("mkio.>", nats.OrderedConsumer())
	if err != nil {
		t.Fatal(err)
	}
	if m, err := pushed.NextMsgWithContext(t.Context()); err != nil || m.Subject != "mkio.a.b" {
		t.Errorf("push consumer: %v, %v", m, err)
	}
}

// No request of a reader changes the log.
func TestReadersCannotWrite(t *testing.T) {
	e := start(t, config(t.TempDir()))
	log := createStreams(t, e, owner(t, e))
	nc := reader(t, e)
	js := stream(t, nc)
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	tries := map[string]func() error{
		"publish to the log": func() error {
			_, err := js.Publish(short(), "mkio.a.b", nil, jetstream.WithRetryAttempts(0))
			return err
		},
		"put into the bucket": func() error {
			kv, err := js.KeyValue(short(), "mkio_state")
			if err == nil {
				_, err = kv.PutString(short(), "a.b", "evil")
			}
			return err
		},
		"create a stream": func() error {
			_, err := js.CreateStream(short(), jetstream.StreamConfig{Name: "EVIL", Subjects: []string{"evil"}, RePublish: &jetstream.RePublish{Source: ">", Destination: "mkio.{{wildcard(1)}}"}})
			return err
		},
		"update the log": func() error {
			_, err := js.UpdateStream(short(), jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, MaxAge: time.Minute})
			return err
		},
		"delete the log": func() error { return js.DeleteStream(short(), "MKIO_EVENTS") },
		"purge the log": func() error {
			s, err := js.Stream(short(), "MKIO_EVENTS")
			if err == nil {
				err = s.Purge(short())
			}
			return err
		},
		"have a backup delivered into the log": func() error {
			_, err := nc.RequestWithContext(short(), "$JS.API.STREAM.SNAPSHOT.MKIO_UNAPPLIED", []byte(`{"deliver_subject":"mkio.a.b"}`))
			return err
		},
		"delete a message": func() error {
			s, err := js.Stream(short(), "MKIO_EVENTS")
			if err == nil {
				err = s.DeleteMsg(short(), 1)
			}
			return err
		},
	}
	for name, try := range tries {
		if err := try(); err == nil {
			t.Errorf("a reader may %s", name)
		}
	}

	// The server sends responses to any reply subject in the reader's account.
	if _, err := js.CreateConsumer(t.Context(), "MKIO_UNAPPLIED", jetstream.ConsumerConfig{Durable: "pull"}); err != nil {
		t.Fatal(err)
	}
	for request, body := range map[string]string{
		"$JS.API.INFO": "", "$JS.API.STREAM.NAMES": "", "$JS.API.DIRECT.GET.MKIO_UNAPPLIED": `{"seq":1}`,
		"$JS.API.STREAM.MSG.GET.MKIO_UNAPPLIED": `{"seq":1}`, "$JS.API.CONSUMER.MSG.NEXT.MKIO_UNAPPLIED.pull": "1",
	} {
		for _, reply := range []string{"mkio.a.b", "$KV.mkio_state.a.b"} {
			if err := nc.PublishRequest(request, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	pushNowhere(t, nc)
	// When a later request gets a response, the earlier ones have taken effect.
	if _, err := js.AccountInfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := log.Info(t.Context())
	if err != nil || info.State.Msgs != 2 || info.State.LastSeq != 2 {
		t.Errorf("the log was written to: %+v, %v", info.State, err)
	}
	kv, err := js.KeyValue(t.Context(), "mkio_state")
	if err != nil {
		t.Fatal(err)
	}
	if entry, err := kv.Get(t.Context(), "a.b"); err != nil || string(entry.Value()) != "one" {
		t.Errorf("the bucket was written to: %v, %v", entry, err)
	}
}

// pushNowhere creates push consumers that deliver to subjects of streams or the server, and waits for one that delivers to
// an inbox: by then the others would have delivered too.
func pushNowhere(t *testing.T, nc *nats.Conn) {
	t.Helper()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	// push subscribes to the subject too: a consumer delivers only if there is interest.
	push := func(name, subject string) *nats.Subscription {
		t.Helper()
		sub := subscribe(t, nc, subject)[0]
		if _, err := js.AddConsumer("MKIO_UNAPPLIED", &nats.ConsumerConfig{Durable: name, DeliverSubject: subject, HeadersOnly: true}); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	evil := map[string]string{
		"log": "mkio.a.b", "bucket": "$KV.mkio_state.a.b", "purge": "$JS.API.STREAM.PURGE.MKIO_EVENTS", "delete": "$JS.API.STREAM.DELETE.MKIO_EVENTS",
	}
	for name, subject := range evil {
		push(name, subject)
	}
	if _, err := push("good", nats.NewInbox()).NextMsgWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, subject := range evil {
		info, err := js.ConsumerInfo("MKIO_UNAPPLIED", name)
		if err != nil {
			t.Fatal(err)
		}
		if info.PushBound || info.Delivered.Consumer != 0 {
			t.Errorf("a consumer delivers to %s", subject)
		}
	}
}

// A reader's publish on the log's subjects is discarded, and the reader gets an error.
func TestReaderPublishesReachNobody(t *testing.T) {
	e := start(t, config(t.TempDir()))
	own := owner(t, e)
	createStreams(t, e, own)
	honest := reader(t, e)
	live := subscribe(t, honest, "mkio.>")[0]
	liar := reader(t, e)
	violations := make(chan error, 1)
	liar.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err })
	if err := liar.Publish("mkio.a.evil", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-violations; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the reader gets the error %v", err)
	}
	if _, err := own.Publish(t.Context(), "mkio.a.d", []byte("hi")); err != nil {
		t.Fatal(err)
	}
	m, err := live.NextMsgWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "mkio.a.d" || string(m.Data) != "hi" || m.Reply != "" {
		t.Errorf("the other reader gets %q with reply %q", m.Subject, m.Reply)
	}
}

// Readers cannot subscribe to replies to the owner.
func TestOwnerRepliesAreHiddenFromReaders(t *testing.T) {
	e := start(t, config(t.TempDir()))
	own := owner(t, e)
	createStreams(t, e, own)
	nc := reader(t, e)
	all := subscribe(t, nc, ">")[0]
	if _, err := own.Publish(t.Context(), "mkio.a.d", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := own.AccountInfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := own.Publish(t.Context(), "mkio.a.e", nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mkio.a.d", "mkio.a.e"} {
		if m, err := all.NextMsgWithContext(t.Context()); err != nil || m.Subject != want {
			t.Errorf("a reader gets %v, %v", m, err)
		}
	}
}

func TestNoListenerWithoutAnAddress(t *testing.T) {
	c := config(t.TempDir())
	c.Listen = ""
	e := start(t, c)
	if e.Addr() != "" {
		t.Errorf("the server listens on %s", e.Addr())
	}
	createStreams(t, e, owner(t, e))
}

func TestPublishingWhileDisconnectedFailsAtOnce(t *testing.T) {
	e := start(t, config(t.TempDir()))
	nc, err := e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	gone := nc.StatusChanged(nats.RECONNECTING)
	js := stream(t, nc)
	createStreams(t, e, js)
	e.Shutdown()
	<-gone
	if _, err := js.Publish(t.Context(), "mkio.a.b", nil, jetstream.WithRetryAttempts(0)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish: %v", err)
	}
}
