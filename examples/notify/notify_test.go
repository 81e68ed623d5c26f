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

// A bench is a bridge's embedded server with a log, and a receiver whose answers a test writes.
type bench struct {
	t    *testing.T
	js   jetstream.JetStream // as the bridge
	addr string              // where readers come in
	dead string
	log  *bridgetest.Buffer

	posts  chan post
	answer func(post) int // nil: 200
}

type post struct {
	key, body string
	at        time.Time // when it came, before it was answered
}

const secret = "hunter2"

func newBench(t *testing.T, answer func(post) int) *bench {
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
	b := &bench{t: t, addr: embedded.Addr(), dead: filepath.Join(t.TempDir(), "dead.jsonl"), log: &bridgetest.Buffer{}, posts: make(chan post, 1000), answer: answer}
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
			t.Error("the log shows the receiver's address")
		}
	})
	return b
}

func (b *bench) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p := post{key: r.Header.Get("Idempotency-Key"), body: string(body), at: time.Now()}
	status := http.StatusOK
	if b.answer != nil {
		status = b.answer(p)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	b.posts <- p // before the answer: who sees the consequences finds it here
	w.WriteHeader(status)
}

// record writes an event into the log, as a bridge would.
func (b *bench) record(id, name, state string, transition int) {
	b.t.Helper()
	kind := "changed"
	if strings.HasPrefix(id, "old") {
		kind = "discovered"
	}
	b.publish(fmt.Sprintf("mkio.job.aurora-vod.ladder-hd.%s.%s", name, strings.ToLower(state)), fmt.Sprintf(
		`{"specversion":"1.0","id":%q,"source":"/jobs/%s","type":"mkio.job.state.%s","data":{"kind":"job","project":"aurora-vod","name":%[2]q,"path":["ladder-hd",%[2]q],"state":%[4]q,"transition":%[5]d}}`,
		id, name, kind, state, transition))
}

func (b *bench) publish(subject, payload string) {
	b.t.Helper()
	if _, err := b.js.Publish(b.t.Context(), subject, []byte(payload)); err != nil {
		b.t.Fatal(err)
	}
}

// start runs the program until stop is called.
func (b *bench) start(flags ...string) (stop func()) {
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
func (b *bench) next() post {
	b.t.Helper()
	select {
	case p := <-b.posts:
		return p
	case <-time.After(30 * time.Second):
		b.t.Fatalf("the receiver hears nothing:\n%s", b.log)
		return post{}
	}
}

// settled waits until something was told and nothing is left to tell, and returns what the consumer is like then. A
// consumer can be looked up before the server has counted what waits for it: it has nothing pending then either.
func (b *bench) settled() *jetstream.ConsumerInfo {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		consumer, err := b.js.Consumer(ctx, "MKIO_EVENTS", "notify")
		if err != nil {
			continue // not made yet
		}
		if info := consumer.CachedInfo(); info.Delivered.Consumer > 0 && info.NumPending == 0 && info.NumAckPending == 0 {
			return info
		}
	}
	b.t.Fatalf("something is left to tell:\n%s", b.log)
	return nil
}

func (b *bench) letters() (letters []letter) {
	b.t.Helper()
	content, err := os.ReadFile(b.dead)
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var l letter
		if err := json.Unmarshal(line, &l); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
		letters = append(letters, l)
	}
	return letters
}

// tries answers by how often an event was posted.
func tries(answers map[string][]int) func(post) int {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(p post) int {
		mu.Lock()
		defer mu.Unlock()
		of := answers[p.key]
		seen[p.key]++
		if len(of) == 0 {
			return http.StatusOK
		}
		return of[min(seen[p.key], len(of))-1]
	}
}

func TestTellsEachEventAndKeepsWhatIsRefused(t *testing.T) {
	b := newBench(t, tries(map[string][]int{
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
	b.settled()

	posts := map[string]int{}
	close(b.posts)
	for p := range b.posts {
		posts[p.key]++
	}
	if want := map[string]int{"plain": 1, "early": 3, "refused": 1, "broken": 4}; fmt.Sprint(posts) != fmt.Sprint(want) {
		t.Errorf("posted %v, want %v", posts, want)
	}
	letters := b.letters()
	slices.SortFunc(letters, func(a, b letter) int { return strings.Compare(a.ID, b.ID) })
	if len(letters) != 3 || letters[0].Tries != 1 || string(letters[0].Event) != `"no JSON"` ||
		letters[1].ID != "broken" || letters[1].Tries != 4 || !strings.Contains(letters[1].Reason, "500") ||
		letters[2].ID != "refused" || letters[2].Tries != 1 || letters[2].Sequence != 4 || !strings.Contains(string(letters[2].Event), `"id":"refused"`) {
		t.Errorf("dead letters %+v", letters)
	}
}

func TestWaitsAsLongAsItIsTold(t *testing.T) {
	b := newBench(t, tries(map[string][]int{"a": {http.StatusTooManyRequests, http.StatusOK}}))
	b.record("a", "a", "Finished", 1)
	b.start()
	first, second := b.next(), b.next()
	if waited := second.at.Sub(first.at); waited < time.Second {
		t.Errorf("posted again after %s, though Retry-After said 1", waited)
	}
}

func TestGoesOnWhereItWas(t *testing.T) {
	b := newBench(t, tries(map[string][]int{"b": {http.StatusInternalServerError, http.StatusOK}}))
	b.record("a", "a", "Finished", 1)
	stop := b.start("-waits", "1s,1s")
	if p := b.next(); p.key != "a" {
		t.Fatalf("posted %v", p)
	}
	b.record("b", "b", "Finished", 1)
	b.next()
	stop()
	b.record("c", "c", "Finished", 1)

	b.start("-waits", "1s,1s", "-pending", "4") // settings may change, and where it began is kept
	keys := []string{b.next().key, b.next().key}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"b", "c"}) {
		t.Errorf("after the restart posted %v", keys)
	}
	b.settled()
	if len(b.posts) != 0 {
		t.Errorf("told again: %v", <-b.posts)
	}
}

func TestOneAtATimeKeepsTheOrder(t *testing.T) {
	b := newBench(t, tries(map[string][]int{"1": {500, 500, 200}, "3": {500, 200}}))
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
	b := newBench(t, tries(map[string][]int{"refused": {http.StatusGone}}))
	s, err := parse([]string{"-all", "-dead-letter-subject", "dead.notify"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := openDeadLetters(t.Context(), b.js, s)
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
	b.settled()
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
		if _, err := openDeadLetters(t.Context(), b.js, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-dead-letter-subject %s: %v", subject, err)
		}
	}
}

// full keeps nothing until it is told to.
type full struct {
	deadLetters
	refuse chan struct{}
}

func (f full) keep(ctx context.Context, l letter) error {
	select {
	case <-f.refuse:
		return io.ErrShortWrite
	default:
		return f.deadLetters.keep(ctx, l)
	}
}

func TestNothingIsGivenUpWithoutADeadLetter(t *testing.T) {
	b := newBench(t, tries(map[string][]int{"refused": {http.StatusBadRequest}}))
	s, err := parse([]string{"-all", "-dead-letter-file", b.dead}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := openFile(b.dead)
	if err != nil {
		t.Fatal(err)
	}
	dead := full{kept, make(chan struct{}, 1)}
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
	if letters := b.letters(); len(letters) != 0 {
		t.Fatalf("dead letters %+v", letters)
	}
	if !strings.Contains(b.log.String(), "cannot be stored") {
		t.Error("the log does not say so")
	}
}
