package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

func TestAudit(t *testing.T) {
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	tell := func(args ...string) (string, int) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"audit"}, args...), &stdout, &stderr)
		return stdout.String() + stderr.String(), code
	}
	if said, code := tell(); code != exitFailed || !strings.Contains(said, "no record of any sweep") {
		t.Errorf("without records: exit %d: %s", code, said)
	}
	now := time.Now().UTC()
	for hours := -5; hours < 0; hours++ {
		for _, kind := range []lifecycle.Kind{lifecycle.Job, lifecycle.Asset} {
			from := now.Add(time.Duration(hours) * time.Hour)
			to, due := from.Add(time.Minute), from.Add(90*time.Minute)
			c := event.Coverage{Record: event.Covered, Project: "vod", Kind: kind, From: from, To: &to, Due: &due, Resources: 7, Differed: 1, Repaired: 1, RecordedTime: to}
			if kind == lifecycle.Asset && hours == -3 {
				c.Record, c.From, c.To, c.Due, c.Reason = event.GapOpened, from.Add(-time.Hour), nil, nil, "MK.IO answered 502"
				c.Resources, c.Differed, c.Repaired = 0, 0, 0
			}
			if err := b.publisher.StoreCoverage(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	said, code := tell()
	if code != exitFailed || !strings.Contains(said, "not proven from") || !strings.Contains(said, "MK.IO answered 502") || strings.Count(said, "\n") != 4 {
		t.Errorf("exit %d: %s", code, said)
	}
	if said, code := tell("--kind", "job", "--since", "4h"); code != exitOK || !strings.Contains(said, "vod job") || strings.Contains(said, "not proven") {
		t.Errorf("exit %d: %s", code, said)
	}
	said, code = tell("--kind", "asset", "--output", "json")
	var c audit.Coverage
	if err := json.Unmarshal([]byte(strings.SplitAfter(said, "\n")[0]), &c); err != nil || code != exitFailed {
		t.Fatalf("exit %d, %v: %s", code, err, said)
	}
	if len(c.Gaps) != 1 || c.Gaps[0].To.Sub(c.Gaps[0].From) != 2*time.Hour || c.Sweeps != 4 || c.Repaired != 4 || !c.Pending {
		t.Errorf("%+v", c)
	}
	if said, code := tell("--project", "nobody"); code != exitFailed || !strings.Contains(said, "no record") {
		t.Errorf("exit %d: %s", code, said)
	}
	if _, code := tell("--since", "1h", "--until", "2h"); code != exitUsage {
		t.Errorf("exit %d for a period that ends before it begins", code)
	}
}
