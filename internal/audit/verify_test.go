package audit_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// A log is a real log, written by the bridge's publisher.
type log struct {
	t  *testing.T
	nc *nats.Conn
	js jetstream.JetStream
	n  int

	erased func(uint64) bool
}

func newLog(t *testing.T, server brokertest.Server) *log {
	t.Helper()
	nc, js := server.Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return &log{t: t, nc: nc, js: js}
}

// states records count more states of each of three channels.
func (l *log) states(count int) {
	l.t.Helper()
	p := publish.New(l.nc, l.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	for range count {
		l.n++
		for _, name := range []string{"news", "sport", "a.b"} {
			l.observe(p, name, []string{"Running", "Stopped"}[l.n%2])
		}
	}
}

func (l *log) observe(p *publish.Publisher, name, state string) {
	l.t.Helper()
	key, err := lifecycle.NewKey(lifecycle.LiveChannel, "live", name)
	if err != nil {
		l.t.Fatal(err)
	}
	v, err := p.Observe(l.t.Context(), lifecycle.Observation{
		Key: key, State: state, At: noon.Add(time.Duration(l.n) * time.Minute), Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: fmt.Sprint(name, l.n), Type: "MediaKind.Test", Received: noon}, Source: "/x", Subject: "x",
	})
	if err != nil || v.Outcome != lifecycle.Changed {
		l.t.Fatalf("%s: %s, %v", key, v.Outcome, err)
	}
}

func (l *log) verify(root *audit.Root) *audit.Report {
	l.t.Helper()
	r, err := audit.Verify(l.t.Context(), l.js, names, audit.Options{Root: root, Erased: l.erased})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// want checks for a violation that contains words; "": none.
func (l *log) want(root *audit.Root, words string) *audit.Report {
	l.t.Helper()
	r := l.verify(root)
	found := slices.ContainsFunc(r.Errors, func(err error) bool { return words != "" && strings.Contains(err.Error(), words) })
	if found != (words != "") || words == "" && r.Wrong > 0 {
		l.t.Errorf("violations %v, want %q", r.Errors, words)
	}
	return r
}

func TestRootCoversTheWholeLog(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	empty := l.want(nil, "").Root
	l.states(3)
	first := l.want(&empty, "")
	if first.Events != 9 || first.Resources != 3 || first.Root.Sequence != 9 {
		t.Errorf("%+v", first)
	}
	l.states(4)
	second := l.want(&first.Root, "")
	if l.want(&second.Root, "").Root != second.Root || second.Root == first.Root {
		t.Error("the root does not depend on the log only")
	}
	again, err := audit.ParseRoot(second.Root.String())
	if err != nil || again != second.Root {
		t.Errorf("%s is parsed as %s, %v", second.Root, again, err)
	}
	forged := first.Root
	forged.Digest = strings.Repeat("0", 64)
	l.want(&forged, "has changed since root")
	forged.Sequence = 1000
	l.want(&forged, "the log ends at event 21")
	for _, bad := range []string{"", "7", "x:" + forged.Digest, "7:abc"} {
		if _, err := audit.ParseRoot(bad); err == nil {
			t.Errorf("%q is accepted as a root", bad)
		}
	}
}

// message is a message of a log, for editing.
type message struct {
	subject string
	header  nats.Header
	data    []byte
}

// copyOf returns a log in another store with edited messages.
func (l *log) copyOf(edit func([]message) []message) *log {
	l.t.Helper()
	to := newLog(l.t, brokertest.Start(l.t))
	to.put(edit(l.all()))
	return to
}

// all returns the messages of a log.
func (l *log) all() []message {
	l.t.Helper()
	var all []message
	for r, err := range eventlog.New(l.js, names).Raw(l.t.Context(), eventlog.Query{}) {
		if err != nil {
			l.t.Fatal(err)
		}
		header := nats.Header{}
		for name, values := range r.Header {
			if !strings.HasPrefix(name, "Nats-") {
				header[name] = values
			}
		}
		all = append(all, message{r.Subject, header, r.Payload})
	}
	return all
}

// put publishes messages unchanged.
func (l *log) put(all []message) {
	l.t.Helper()
	for _, m := range all {
		if _, err := l.js.PublishMsg(l.t.Context(), &nats.Msg{Subject: m.subject, Header: m.header, Data: m.data}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// alter changes a payload, and with forge also the hash in its header.
func alter(forge bool, at int) func([]message) []message {
	return func(all []message) []message {
		m := &all[at]
		m.data = bytes.Replace(m.data, []byte(`"timeFrom":"mkio"`), []byte(`"timeFrom":"observed"`), 1)
		if forge {
			m.header.Set(event.HeaderHash, event.Hash(m.data))
		}
		return all
	}
}

func TestTamperingIsFound(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	l.states(6) // 18 events: news, sport and a.b in turn
	root := l.want(nil, "").Root
	without := func(from, to int) func([]message) []message {
		return func(all []message) []message { return append(all[:from:from], all[to:]...) }
	}
	swap := func(a, b int) func([]message) []message {
		return func(all []message) []message { all[a], all[b] = all[b], all[a]; return all }
	}
	tests := []struct {
		name          string
		edit          func([]message) []message
		alone, rooted string // the violation without and with the root
	}{
		{"nothing", func(all []message) []message { return all }, "", ""},
		{"a payload", alter(false, 6), "does not match the hash in the header", "does not match the hash in the header"},
		{"a payload and its hash", alter(true, 6), "event 10 on mkio.live-channel.live.news.running: previousHash", "previousHash"},
		{"the last payload of a resource and its hash", alter(true, 17), "", "has changed since root"},
		{"one removed", without(6, 7), "transition", "transition"},
		{"the first of a resource removed", without(0, 1), "is not in the log", "the log ends at event 17"},
		{"the end truncated", without(15, 18), "", "the log ends at event 15"},
		{"two of a resource swapped", swap(6, 9), "transition", "transition"},
		{"one repeated", func(all []message) []message { return append(all, all[17]) }, "transition", "transition"},
		{"one on the subject of another", func(all []message) []message { all[6].subject = all[7].subject; return all }, "wrong subject", "wrong subject"},
		{"one that is no event", func(all []message) []message { all[6].data = []byte("{"); return all }, "cannot be decoded", "cannot be decoded"},
		{"states of another resource added", func(all []message) []message {
			return append(all, message{"mkio.live-channel.live.x.running", all[0].header, all[0].data})
		}, "wrong subject", "wrong subject"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := &log{t: t, nc: l.nc, js: l.js}
			edited := l.copyOf(test.edit)
			edited.want(nil, test.alone)
			edited.want(&root, test.rooted)
		})
	}
}

// A trimmed log can still be compared with a root, as long as it has the event after the root's.
func TestTrimmedLog(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	p := publish.New(l.nc, l.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	l.n++
	l.observe(p, "rests", "Running") // its only event is trimmed
	l.states(1)
	old := l.want(nil, "").Root // of event 4
	l.states(3)
	root := l.want(nil, "").Root // of event 13
	l.states(1)
	keep := func(last int64) {
		t.Helper()
		s, err := l.js.Stream(t.Context(), names.EventStream())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		c.MaxMsgs = last
		if _, err := l.js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	whole := l.want(&root, "").Root
	keep(7) // from event 10 on
	if r := l.want(&root, ""); r.First != 10 || r.Root != whole || r.Resources != 4 {
		t.Errorf("%+v, and the root was %s", r, whole)
	}
	l.want(&old, "too many events have aged out")
	keep(3) // from event 14 on: each resource's predecessor is known by its hash only
	if r := l.want(&root, ""); r.First != 14 || r.Root != whole {
		t.Errorf("%+v, and the root was %s", r, whole)
	}
	root.Digest = strings.Repeat("0", 64)
	l.want(&root, "has changed since root")
}

// A declared erasure is not a violation, but the remaining events must be intact.
func TestDeclaredErasuresAreAccepted(t *testing.T) {
	whole := newLog(t, brokertest.Start(t))
	whole.states(4)
	nc, js := brokertest.Start(t).Connect()
	c := jetstream.StreamConfig{Name: names.EventStream(), Subjects: []string{names.EventSubjects()}} // without DenyDelete
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: names.StateBucket()}); err != nil {
		t.Fatal(err)
	}
	l := &log{t: t, nc: nc, js: js}
	l.put(whole.all())
	stream, err := js.Stream(t.Context(), names.EventStream())
	if err != nil {
		t.Fatal(err)
	}
	for _, sequence := range []uint64{1, 4, 7, 10} { // all of news
		if err := stream.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	l.want(nil, "events 1 to 1 at the beginning of the log are missing")
	l.want(nil, "events 7 to 7 before it are missing")
	l.erased = func(sequence uint64) bool { return sequence%3 == 1 && sequence > 1 }
	l.want(nil, "at the beginning")
	l.erased = func(sequence uint64) bool { return sequence%3 == 1 }
	l.want(nil, "")
	if err := stream.DeleteMsg(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	l.want(nil, "events 12 to 12 at the end of the log are missing")
}

// A changed byte on the disk loses events, which is found.
func TestCorruptedStoreIsFound(t *testing.T) {
	dir := t.TempDir()
	server := brokertest.StartIn(t, dir)
	l := newLog(t, server)
	l.states(10)
	root := l.want(nil, "").Root
	l.nc.Close()
	server.Shutdown()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", names.EventStream(), "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	content, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(blocks[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(blocks[0]), "index.db")); err != nil {
		t.Fatal(err)
	}
	l = newLog(t, brokertest.StartIn(t, dir))
	if r := l.verify(&root); r.Wrong == 0 {
		t.Errorf("no violation is found: %+v", r)
	}
}
