package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// coverageOf returns a coverage record of a sweep of jobs that began some time ago.
func coverageOf(now time.Time, ago time.Duration) event.Coverage {
	from := now.Add(-ago)
	to, due := from.Add(time.Second), from.Add(90*time.Minute)
	return event.Coverage{Record: event.Covered, Project: "vod", Kind: lifecycle.Job, From: from, To: &to, Due: &due, Resources: 7, RecordedTime: to}
}

func storeCoverage(t *testing.T, b *bridge, records ...event.Coverage) {
	t.Helper()
	for _, c := range records {
		if err := b.publisher.StoreCoverage(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// bridgeForAudit opens a bridge that commands connect to.
func bridgeForAudit(t *testing.T) *bridge {
	t.Helper()
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	return b
}

// A log that is younger than the period starts with its first sweep: before that, nothing was compared.
func TestAuditOfAFreshInstallSucceeds(t *testing.T) {
	b := bridgeForAudit(t)
	now := time.Now().UTC()
	storeCoverage(t, b, coverageOf(now, 50*time.Minute), coverageOf(now, 10*time.Minute))
	out, errs, code := runCommand(t, "audit", "--since", "24h")
	first := now.Add(-50 * time.Minute)
	if code != exitOK || !strings.Contains(out, "1 of these start with their first sweep ("+first.Format(time.RFC3339)) || strings.Contains(out, "not proven") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	out, errs, code = runCommand(t, "audit", "--since", "24h", "--project", "vod", "--output", "json")
	var c audit.Coverage
	if err := json.Unmarshal([]byte(out), &c); err != nil || code != exitOK || c.FirstSweep == nil || !c.FirstSweep.Equal(first) || !c.From.Equal(first) || len(c.Gaps) != 0 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the state bucket
		t.Fatal(err)
	}
	wantOutput(t, exitOK, []string{"-  no sweep of this kind"}, "audit", "--since", "24h") // of the event of the bridge
	out, errs, code = runCommand(t, "audit", "--since", "24h", "--until", "2h")
	if code != exitFailed || !strings.Contains(errs, "before the first sweep") {
		t.Errorf("a period before the first sweep: exit %d: %s%s", code, out, errs)
	}
}

// A first sweep that failed is a gap, however young the log is.
func TestAuditOfAFailedFirstSweepFails(t *testing.T) {
	b := bridgeForAudit(t)
	now := time.Now().UTC()
	gap := coverageOf(now, 50*time.Minute)
	gap.Record, gap.To, gap.Due, gap.Reason, gap.Resources = event.GapOpened, nil, nil, "MK.IO answered 502", 0
	storeCoverage(t, b, gap, coverageOf(now, 10*time.Minute))
	if out, errs, code := runCommand(t, "audit", "--since", "24h"); code != exitFailed || !strings.Contains(out, "MK.IO answered 502") || strings.Contains(out, "no record of a sweep before") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// A sweep before the period counts. Records that have aged out prove nothing.
func TestAuditDistinguishesAgedOutRecordsFromAFirstSweep(t *testing.T) {
	b := bridgeForAudit(t)
	now := time.Now().UTC()
	storeCoverage(t, b, coverageOf(now, 30*time.Hour), coverageOf(now, 50*time.Minute))
	if out, errs, code := runCommand(t, "audit", "--since", "24h"); code != exitFailed || !strings.Contains(out, "no sweep completed in time") {
		t.Errorf("with a sweep before the period: exit %d: %s%s", code, out, errs)
	}
	stream, err := b.js.Stream(t.Context(), b.names.AuditStream())
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxMsgs = 1
	if _, err := b.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := runCommand(t, "audit", "--since", "24h"); code != exitFailed || !strings.Contains(out, "no record of a sweep before") {
		t.Errorf("with aged-out records: exit %d: %s%s", code, out, errs)
	}
}

// verify accepts its own output as --root.
func TestVerifyAcceptsItsOwnRootLine(t *testing.T) {
	bridgeForAudit(t)
	out, errs, code := runCommand(t, "verify")
	if code != exitOK {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	line := lines[len(lines)-1]
	for _, root := range []string{line, line + "\n", out, strings.TrimPrefix(line, "root "), "\t" + strings.TrimPrefix(line, "root ") + "\r\n"} {
		wantOutput(t, exitOK, []string{"nothing up to event 1 was changed"}, "verify", "--root", root)
	}
	for _, root := range []string{"root", "root 1:x", "roots " + strings.TrimPrefix(line, "root "), line + " more"} {
		wantOutput(t, exitUsage, []string{"in quotes"}, "verify", "--root", root)
	}
}

// A failed replay prints why, and nothing else.
func TestFailedReplayPublishesNothing(t *testing.T) {
	bridgeForAudit(t)
	for want, args := range map[string][]string{
		"no stream has the subjects nowhere.>": {"nowhere"},
		"the bridge's own":                     {"mkio.again"},
		"must be tokens":                       {"a..b"},
	} {
		if out, errs, code := runCommand(t, append([]string{"replay"}, args...)...); code != exitFailed || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d: %q, %q", args, code, out, errs)
		}
	}
	wantOutput(t, exitOK, []string{"nothing to publish"}, "replay", "--live", "--kind", "asset", "replay")
}
