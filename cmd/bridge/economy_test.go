package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/economy"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
)

// economySeed is the seed of every day.
const economySeed = 25

// An economyRun is a day on which a bridge with its default settings was executed.
type economyRun struct {
	timeline economy.Timeline
	bridge   economy.Result
	start    int // requests in the hour after the bridge's first start, before the day
}

// runEconomy executes a bridge on a day, on which a share of the webhooks is lost.
func runEconomy(t *testing.T, c config, size economy.Size, lost float64) (run economyRun) {
	t.Helper()
	defer brokertest.StartServerClock()()
	c.StoreDir = t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		requests := &requestTimes{}
		s := &simulation{t: t, config: c}
		s.fake = mkiofake.New(mkiofake.Config{
			Seed: economySeed, Projects: []string{economy.Project}, Token: demoToken, Transport: s, Faults: economyFaults(lost),
		})
		requests.next, s.config.transport = s.fake, requests
		const warmUp = 25 * time.Hour // the resources at rest were modified long before the first sweep
		begin := time.Now().Add(warmUp)
		day := economy.NewDay(size, economySeed, begin)
		for _, step := range day.Rest {
			s.fake.Create(step.Key, step.State)
		}
		time.Sleep(warmUp - time.Hour)
		s.fake.PutRule(economy.Project, c.WebhookRule, mkiofake.Rule{
			URL: "https://bridge.test" + webhookPath, Events: mkio.Types(), SecretHeaders: map[string]string{"X-Webhook-Secret": demoSecret},
		})
		s.open()
		defer s.close()
		s.fake.Play(day.Steps)
		ctx, stop := context.WithCancel(t.Context())
		var playing sync.WaitGroup
		playing.Go(func() { _ = s.fake.Run(ctx) })
		time.Sleep(time.Until(begin.Add(size.Length)))
		stop()
		playing.Wait()
		run.timeline = economy.NewTimeline(s.fake.Changes(), begin, size.Length)
		run.start = len(requests.between(begin.Add(-time.Hour), begin))
		run.bridge = run.timeline.Bridge(s.observations(begin), requests.between(begin, begin.Add(size.Length)))
		t.Logf("requests by route, with the hour before the day: %v", s.fake.Requests(economy.Project).ByRoute)
		if err := oracle.CheckConverged(t.Context(), s.bridge.events, s.fake); err != nil {
			t.Error(err)
		}
	})
	return run
}

// economyFaults lose a share of the webhooks, half of them without a trace in the delivery history. All others, and all
// responses of the API, take some time.
func economyFaults(lost float64) mkiofake.Faults {
	dropped := lost / 2
	return mkiofake.Faults{
		Dropped: dropped, Failed: lost / 2 / (1 - dropped),
		Lag: 400 * time.Millisecond, Jitter: 2 * time.Second,
		Slow: 1, SlowBy: 200 * time.Millisecond,
	}
}

// observations returns what the log has, by offsets from the begin of the day.
func (s *simulation) observations(begin time.Time) (all []economy.Observation) {
	s.t.Helper()
	for e, err := range s.bridge.events.Events(s.t.Context(), eventlog.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, economy.Observation{Key: key, Life: e.Fact.Life, State: e.Fact.State, At: e.Event.RecordedTime.Sub(begin)})
	}
	return all
}

// requestTimes is a transport that notes when each request is sent.
type requestTimes struct {
	next  http.RoundTripper
	mu    sync.Mutex
	times []time.Time
}

func (r *requestTimes) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.times = append(r.times, time.Now())
	r.mu.Unlock()
	return r.next.RoundTrip(request)
}

// between returns the offsets from a time of the requests in a half-open interval that begins with it.
func (r *requestTimes) between(from, until time.Time) (offsets []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.times {
		if !at.Before(from) && at.Before(until) {
			offsets = append(offsets, at.Sub(from))
		}
	}
	return offsets
}

// economyConfig returns the default settings of a bridge, without ports and without syncing the disk.
func economyConfig(t *testing.T) config {
	t.Helper()
	t.Setenv("BRIDGE_MKIO_TOKEN", demoToken)
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", demoSecret)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.NatsListen, c.Sync = "", syncMode(24*time.Hour)
	return c
}

// row returns the bridge's row of the table.
func (run economyRun) row(lost float64) economy.Row {
	return economy.Row{Who: "**mkio-bridge**", Losses: fmt.Sprintf("%.0f %%", 100*lost), Result: run.bridge}
}

// rows returns the rows of all ways: the loops, the bridge, and the oracle.
func (run economyRun) rows(c config, lost float64) (rows []economy.Row) {
	for _, l := range economy.Loops() {
		rows = append(rows, economy.Row{Who: l.Name, Result: l.Run(run.timeline, c.kindsToPoll())})
	}
	return append(rows, run.row(lost), economy.Row{Who: "oracle", Result: economy.Oracle(run.timeline)})
}

// check checks what the bridge promises of every day.
func (run economyRun) check(t *testing.T, c config) {
	t.Helper()
	loops := economy.Loops()
	states, changes := loops[0].Run(run.timeline, c.kindsToPoll()), loops[2].Run(run.timeline, c.kindsToPoll())
	if run.bridge.Requests*20 > states.Requests {
		t.Errorf("%d requests, over 5 %% of the %d of a loop over each state", run.bridge.Requests, states.Requests)
	}
	if run.bridge.MostPerMinute > c.PollRate {
		t.Errorf("%d requests in a minute, the limit is %d", run.bridge.MostPerMinute, c.PollRate)
	}
	for _, life := range run.bridge.Lost(changes) {
		t.Errorf("the log lacks the final state of %s, which a loop over lists of changes sees: %v", life.Key, life.Changes)
	}
}

// mostPerChange is the most requests that a change costs where all webhooks arrive, beside the sweeps. The oracle needs one.
const mostPerChange = 2

// checkNearOracle checks the requests of a day on which all webhooks arrive. sweeps are those of a day without a change, with what
// else does not depend on the changes.
func (run economyRun) checkNearOracle(t *testing.T, sweeps int) {
	t.Helper()
	if needed := economy.Oracle(run.timeline).Requests; run.bridge.Requests > mostPerChange*needed+sweeps {
		t.Errorf("%d requests where all webhooks arrive; sweeps take %d of them, and the oracle needs %d", run.bridge.Requests, sweeps, needed)
	}
}

// TestEconomyOfShortDays executes the bridge on days of two hours with few resources. The days of the table are in
// TestSoakEconomy.
func TestEconomyOfShortDays(t *testing.T) {
	bridgetest.SkipIfShort(t)
	c := economyConfig(t)
	size := economy.Size{Resources: 200, Jobs: 40, Sessions: 3, Length: 2 * time.Hour, WorkUntil: 50 * time.Minute}
	idle := economy.Size{Resources: 200, Length: size.Length}
	execute := func(name string, size economy.Size, lost float64) (run economyRun) {
		t.Run(name, func(t *testing.T) {
			run = runEconomy(t, c, size, lost)
			t.Logf("\n%s", economy.Table(run.rows(c, lost)))
			run.check(t, c)
		})
		return run
	}
	execute("all webhooks are lost", size, 1)
	all := execute("all webhooks arrive", size, 0)
	// On a day with few changes the active polls count: something is in motion for about half of it.
	activePolls := int(size.Length / c.PollActive / 2)
	all.checkNearOracle(t, execute("nothing changes", idle, 0).bridge.Requests+activePolls)
}
