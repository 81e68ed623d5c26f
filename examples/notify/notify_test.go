package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
)

// A testBench is a bridge's embedded server with a log, and a receiver with responses that a test defines.
type testBench struct {
	t    *testing.T
	js   jetstream.JetStream // as the bridge's user
	addr string              // of the client port
	dead string
	log  *bridgetest.Buffer

	posts   chan post
	respond func(post) int // nil: 200
}

type post struct {
	key, body string
	at        time.Time // when it was received
}

const secret = "hunter2"

func newTestBench(t *testing.T, respond func(post) int) *testBench {
	t.Helper()
	embedded, err := broker.Start(broker.EmbeddedConfig{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", ReadSubjects: []string{"mkio.>"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(embedded.Shutdown)
	nc, err := embedded.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b := &testBench{t: t, addr: embedded.Addr(), dead: filepath.Join(t.TempDir(), "dead.jsonl"), log: &bridgetest.Buffer{}, posts: make(chan post, 1000), respond: respond}
	if b.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	for name, subjects := range map[string]string{"MKIO_EVENTS": "mkio.>", "DEAD": "dead.>"} {
		if _, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subjects}}); err != nil {
			t.Fatal(err)
		}
	}
	receiver := httptest.NewServer(http.HandlerFunc(b.receive))
	t.Cleanup(receiver.Close)
	t.Setenv("NOTIFY_URL", receiver.URL+"/"+secret)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.log)
		}
		if strings.Contains(b.log.String(), secret) {
			t.Error("the log contains the receiver's URL")
		}
	})
	return b
}

func (b *testBench) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p := post{key: r.Header.Get("Idempotency-Key"), body: string(body), at: time.Now()}
	status := http.StatusOK
	if b.respond != nil {
		status = b.respond(p)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	b.posts <- p // before the response: a test that sees its consequences finds the post
	w.WriteHeader(status)
}

// record writes an event to the log, as a bridge does.
func (b *testBench) record(id, name, state string, transition int) {
	b.t.Helper()
	kind := "changed"
	if strings.HasPrefix(id, "old") {
		kind = "discovered"
	}
	b.publish(fmt.Sprintf("mkio.job.aurora-vod.ladder-hd.%s.%s", name, strings.ToLower(state)), fmt.Sprintf(
		`{"specversion":"1.0","id":%q,"source":"/jobs/%s","type":"mkio.job.state.%s","data":{"kind":"job","project":"aurora-vod","name":%[2]q,"path":["ladder-hd",%[2]q],"state":%[4]q,"transition":%[5]d}}`,
		id, name, kind, state, transition))
}

func (b *testBench) publish(subject, payload string) {
	b.t.Helper()
	if _, err := b.js.Publish(b.t.Context(), subject, []byte(payload)); err != nil {
		b.t.Fatal(err)
	}
}

// start runs the program until stop is called.
func (b *testBench) start(flags ...string) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	args := append([]string{"-nats", "nats://" + b.addr, "-all", "-waits", "1ms,1ms,1ms", "-dead-letter-file", b.dead}, flags...)
	go func() { ended <- run(ctx, args, b.log) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("notify: %v", err)
		}
	})
	b.t.Cleanup(stop)
	return stop
}

// next waits for a post.
func (b *testBench) next() post {
	b.t.Helper()
	select {
	case p := <-b.posts:
		return p
	case <-time.After(30 * time.Second):
		b.t.Fatalf("the receiver gets no post:\n%s", b.log)
		return post{}
	}
}

// waitUntilIdle waits until events were delivered and none is pending, and returns the consumer's info. A new consumer has
// no pending events either, until the server has counted them.
func (b *testBench) waitUntilIdle() *jetstream.ConsumerInfo {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		consumer, err := b.js.Consumer(ctx, "MKIO_EVENTS", "notify")
		if err != nil {
			continue // not created yet
		}
		if info := consumer.CachedInfo(); info.Delivered.Consumer > 0 && info.NumPending == 0 && info.NumAckPending == 0 {
			return info
		}
	}
	b.t.Fatalf("events are still pending:\n%s", b.log)
	return nil
}

func (b *testBench) deadLetters() (letters []deadLetter) {
	b.t.Helper()
	content, err := os.ReadFile(b.dead)
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var l deadLetter
		if err := json.Unmarshal(line, &l); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
		letters = append(letters, l)
	}
	return letters
}

// statuses returns the response statuses of each event, by the number of its posts.
func statuses(byKey map[string][]int) func(post) int {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(p post) int {
		mu.Lock()
		defer mu.Unlock()
		of := byKey[p.key]
		seen[p.key]++
		if len(of) == 0 {
			return http.StatusOK
		}
		return of[min(seen[p.key], len(of))-1]
	}
}

func TestDeliveriesAndDeadLetters(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{
		"early":   {http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusOK},
		"refused": {http.StatusBadRequest},
		"broken":  {http.StatusInternalServerError},
	}))
	for i, id := range []string{"old", "plain", "early", "refused", "broken"} {
		b.record(id, id, "Finished", i+1)
	}
	b.record("other", "other", "Processing", 1)
	b.publish("mkio.job.aurora-vod.ladder-hd.x.finished", "no JSON")
	b.start("-subject", "mkio.job.*.*.*.finished", "-subject", "mkio.asset.>")
	b.waitUntilIdle()

	posts := map[string]int{}
	close(b.posts)
	for p := range b.posts {
		posts[p.key]++
	}
	if want := map[string]int{"plain": 1, "early": 3, "refused": 1, "broken": 4}; fmt.Sprint(posts) != fmt.Sprint(want) {
		t.Errorf("posted %v, want %v", posts, want)
	}
	stored := b.deadLetters()
	slices.SortFunc(stored, func(a, b deadLetter) int { return strings.Compare(a.ID, b.ID) })
	if len(stored) != 3 || stored[0].Tries != 1 || string(stored[0].Event) != `"no JSON"` ||
		stored[1].ID != "broken" || stored[1].Tries != 4 || !strings.Contains(stored[1].Reason, "500") ||
		stored[2].ID != "refused" || stored[2].Tries != 1 || stored[2].Sequence != 4 || !strings.Contains(string(stored[2].Event), `"id":"refused"`) {
		t.Errorf("dead letters %+v", stored)
	}
}

func TestRetryAfterIsRespected(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{"a": {http.StatusTooManyRequests, http.StatusOK}}))
	b.record("a", "a", "Finished", 1)
	b.start()
	first, second := b.next(), b.next()
	if waited := second.at.Sub(first.at); waited < time.Second {
		t.Errorf("posted again after %s, though Retry-After said 1", waited)
	}
}

func TestRestartResumes(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{"b": {http.StatusInternalServerError, http.StatusOK}}))
	b.record("a", "a", "Finished", 1)
	stop := b.start("-waits", "1s,1s")
	if p := b.next(); p.key != "a" {
		t.Fatalf("posted %v", p)
	}
	b.record("b", "b", "Finished", 1)
	b.next()
	stop()
	b.record("c", "c", "Finished", 1)

	b.start("-waits", "1s,1s", "-pending", "4") // settings may change; the start position stays
	keys := []string{b.next().key, b.next().key}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"b", "c"}) {
		t.Errorf("after the restart posted %v", keys)
	}
	b.waitUntilIdle()
	if len(b.posts) != 0 {
		t.Errorf("delivered again: %v", <-b.posts)
	}
}

func TestPendingOneKeepsTheOrder(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{"1": {500, 500, 200}, "3": {500, 200}}))
	for i := range 5 {
		b.record(fmt.Sprint(i), "a", "State"+fmt.Sprint(i), i+1)
	}
	b.start("-pending", "1")
	var keys []string
	for range 8 {
		keys = append(keys, b.next().key)
	}
	if got := strings.Join(keys, ""); got != "01112334" {
		t.Errorf("posted in order %s", got)
	}
}

func TestDeadLettersInAStream(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{"refused": {http.StatusGone}}))
	s, err := parse([]string{"-all", "-dead-letter-subject", "dead.notify"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := openDeadLetterStore(t.Context(), b.js, s)
	if err != nil {
		t.Fatal(err)
	}
	b.record("refused", "a", "Finished", 1)
	consumer, err := consumerOf(t.Context(), b.js, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	n := notifier{settings: s, receiver: newReceiver(s), dead: dead, log: slog.New(slog.DiscardHandler)}
	go func() { ended <- n.consume(ctx, consumer) }()
	b.waitUntilIdle()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	stream, err := b.js.Stream(t.Context(), "DEAD")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetLastMsgForSubject(t.Context(), "dead.notify")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(m.Data), `"id":"refused"`) || !strings.Contains(m.Header.Get("Notify-Reason"), "410 Gone") ||
		m.Header.Get("Notify-Subject") != "mkio.job.aurora-vod.ladder-hd.a.finished" || m.Header.Get("Notify-Sequence") != "1" || m.Header.Get(nats.MsgIdHdr) == "" {
		t.Errorf("dead letter %+v", m)
	}
	for subject, want := range map[string]string{"nobody.takes": "nats stream add", "mkio.dead": "the bridge's log"} {
		s.deadSubject = subject
		if _, err := openDeadLetterStore(t.Context(), b.js, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-dead-letter-subject %s: %v", subject, err)
		}
	}
}

// failingStore fails to store as often as refuse has values.
type failingStore struct {
	deadLetterStore
	refuse chan struct{}
}

func (f failingStore) store(ctx context.Context, l deadLetter) error {
	select {
	case <-f.refuse:
		return io.ErrShortWrite
	default:
		return f.deadLetterStore.store(ctx, l)
	}
}

func TestEventIsKeptUntilItsDeadLetterIsStored(t *testing.T) {
	b := newTestBench(t, statuses(map[string][]int{"refused": {http.StatusBadRequest}}))
	s, err := parse([]string{"-all", "-dead-letter-file", b.dead}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	fileStore, err := openFileStore(b.dead)
	if err != nil {
		t.Fatal(err)
	}
	dead := failingStore{fileStore, make(chan struct{}, 1)}
	dead.refuse <- struct{}{}
	b.record("refused", "a", "Finished", 1)
	consumer, err := consumerOf(t.Context(), b.js, s)
	if err != nil {
		t.Fatal(err)
	}
	n := notifier{settings: s, receiver: newReceiver(s), dead: dead, log: slog.New(slog.NewTextHandler(b.log, nil))}
	batch, err := consumer.Fetch(1)
	if err != nil {
		t.Fatal(err)
	}
	n.handle(t.Context(), <-batch.Messages())
	info, err := consumer.Info(t.Context())
	if err != nil || info.NumAckPending != 1 {
		t.Fatalf("the event was given up: %+v, %v", info, err)
	}
	if letters := b.deadLetters(); len(letters) != 0 {
		t.Fatalf("dead letters %+v", letters)
	}
	if !strings.Contains(b.log.String(), "cannot be stored") {
		t.Error("the log lacks the error")
	}
}
