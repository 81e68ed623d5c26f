//go:build e2e

package notify

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A backlog of 100,000 events, collected while no notifier ran, is sent in order and each event once, with no more memory than
// a short one needs. A rule that groups sends it as a few messages.
func TestSoakBacklog(t *testing.T) {
	const resources, backlog = 5_000, 100_000
	f := newFixture(t)
	f.quiet = true
	f.addMany(resources, backlog/resources)
	f.rules("  - {name: a, target: main, from: all, parallel: 64}\n  - {name: b, target: other, from: all, group: {every: 1s}}\n")
	order := map[string]int{} // next event of each resource
	main := f.target("main")
	main.answers(func(_ context.Context, sent string) error {
		var name string
		var number int
		if _, err := fmt.Sscanf(sent, "%s State%d", &name, &number); err != nil {
			return &Permanent{err}
		}
		main.mu.Lock()
		defer main.mu.Unlock()
		if number != order[name] {
			t.Errorf("%s: event %d came after %d", name, number, order[name]-1)
		}
		order[name] = number + 1
		return nil
	})
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, stop := f.run()
	var peak uint64
	bridgetest.Eventually(t, "the backlog is sent", func() bool {
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc)
		return len(main.got()) >= backlog && n.Ready() == nil
	})
	bridgetest.Eventually(t, "the groups are sent", func() bool {
		total := 0
		for _, sent := range f.target("other").got() {
			count := 1
			if _, text, ok := strings.Cut(sent, "×"); ok {
				_, _ = fmt.Sscan(text, &count)
			}
			total += count
		}
		return total >= backlog
	})
	stop()
	if got := len(main.got()); got != backlog {
		t.Errorf("%d messages were sent for %d events", got, backlog)
	}
	t.Logf("peak heap %d MiB, %d MiB before, the NATS server's included; %d messages of the rule that groups", peak>>20, before.HeapAlloc>>20, len(f.target("other").got()))
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 192<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// addMany appends events of many resources.
func (f *fixture) addMany(resources, each int) {
	f.t.Helper()
	var m event.Message
	encoder := event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	for number := range each {
		for i := range resources {
			key, err := lifecycle.NewKey(lifecycle.Job, "news", "ladder", fmt.Sprint("ep-", i))
			if err != nil {
				f.t.Fatal(err)
			}
			o := lifecycle.Observation{Key: key, State: fmt.Sprint("State", number), Life: "1", At: time.Now(), Via: lifecycle.Poll, Source: "/x", Subject: "x"}
			if err := encoder.Encode(&m, o, nil, time.Now()); err != nil {
				f.t.Fatal(err)
			}
			if _, err := f.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: maps.Clone(m.Header), Data: append([]byte(nil), m.Payload...)}); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	<-f.js.PublishAsyncComplete()
}
