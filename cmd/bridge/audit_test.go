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
	auditCommand := func(args ...string) (string, int) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"audit"}, args...), &stdout, &stderr)
		return stdout.String() + stderr.String(), code
	}
	if output, code := auditCommand(); code != exitFailed || !strings.Contains(output, "no record of any sweep") {
		t.Errorf("without records: exit %d: %s", code, output)
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
	output, code := auditCommand("--project", "vod")
	if code != exitFailed || !strings.Contains(output, "not proven from") || !strings.Contains(output, "MK.IO answered 502") || strings.Count(output, "\n") != 5 {
		t.Errorf("exit %d: %s", code, output)
	}
	if output, code := auditCommand("--kind", "job", "--since", "4h"); code != exitOK || !strings.Contains(output, "vod job") || strings.Contains(output, "not proven") {
		t.Errorf("exit %d: %s", code, output)
	}
	output, code = auditCommand("--kind", "asset", "--output", "json")
	var c audit.Coverage
	if err := json.Unmarshal([]byte(strings.SplitAfter(output, "\n")[0]), &c); err != nil || code != exitFailed {
		t.Fatalf("exit %d, %v: %s", code, err, output)
	}
	if len(c.Gaps) != 1 || c.Gaps[0].To.Sub(c.Gaps[0].From) != 2*time.Hour || c.Sweeps != 4 || c.Repaired != 4 || !c.Pending {
		t.Errorf("%+v", c)
	}
	if output, code := auditCommand("--project", "nobody"); code != exitFailed || !strings.Contains(output, "no record") {
		t.Errorf("exit %d: %s", code, output)
	}
	if _, code := auditCommand("--since", "1h", "--until", "2h"); code != exitUsage {
		t.Errorf("exit %d for a period that ends before it begins", code)
	}
}
