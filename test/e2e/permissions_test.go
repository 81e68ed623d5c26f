//go:build e2e

package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/publish"
)

// The bridge's permissions in accountsFile suffice for all that it does, from creating streams to recreating them, and each
// of them is used.
func TestBridgePermissionsAreSufficientAndMinimal(t *testing.T) {
	g := startWithAccounts(t)
	env := g.env("mkio-bridge", "bridge", startMKIO(t)...)
	p := bridgetest.StartBridge(t, append(slices.Clone(env), "BRIDGE_PROJECTS=aurora-live")...) // so a delivery of aurora-vod is unapplied
	checkStatus(t, p, http.StatusAccepted, "job-finished.finished.json")
	p.StopGracefully()

	p = bridgetest.StartBridge(t, env...)
	used := g.await("$JS.API.STREAM.INFO.MKIO_EVENTS", "$JS.API.CONSUMER.MSG.NEXT.KV_mkio_progress.>")
	checkStatus(t, p, http.StatusNoContent, "job-started.json")
	used = append(used, g.await("mkio-audit.>")...) // a sweep is done
	if out, errs, code := bridgetest.Run(t, append(slices.Clone(env), "BRIDGE_ADMIN_LISTEN="+p.Admin), "unapplied", "retry"); code != exitOK || !strings.Contains(out, "now an event, deleted from unapplied") {
		t.Errorf("retry: exit %d: %s%s", code, out, errs)
	}
	if out, errs, code := bridgetest.Run(t, env, "doctor"); strings.Contains(out, "FAILED   stream") || !strings.Contains(out, "ok       publishing") {
		t.Errorf("doctor: exit %d: %s%s", code, out, errs)
	}
	if body := p.MustGet("/v1/status"); strings.Contains(body, "cannot be read") {
		t.Errorf("/v1/status: %s", body)
	}
	js, err := jetstream.New(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	rule := jetstream.ConsumerConfig{Durable: "notify-jobs", Metadata: map[string]string{event.NotifyTarget: "pager"}}
	if _, err := js.CreateConsumer(t.Context(), "MKIO_EVENTS", rule); err != nil {
		t.Fatal(err)
	}
	if body := p.MustGet("/v1/notify"); !strings.Contains(body, `"rule":"jobs"`) {
		t.Errorf("/v1/notify: %s", body)
	}
	awaitKey(t, js, "mkio_state", "job.aurora-vod.ladder-hd.ep-0417")                          // filled asynchronously
	for _, command := range []string{"events", "state", "verify", "audit", "unapplied list"} { // with the bridge's credentials
		if out, errs, code := bridgetest.Run(t, env, strings.Fields(command)...); code != exitOK && command != "audit" || !strings.Contains(out, "aurora-vod") && command != "verify" && command != "unapplied list" {
			t.Errorf("%s: exit %d: %s%s", command, code, out, errs)
		}
	}
	used = append(used, g.rest()...)

	var created []string
	for _, name := range []string{"KV_mkio_state", "MKIO_EVENTS", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_bridge", "KV_mkio_lease"} {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		created = append(created, "$JS.API.STREAM.CREATE."+name)
	}
	used = append(used, g.await(created...)...)
	used = append(used, g.await("mkio.live-event.aurora-vod.e1.running")...) // recorded in the recreated log
	checkStatus(t, p, http.StatusNoContent, "job-started.json")
	checkStatus(t, p, http.StatusNoContent, "job-finished.finished.json")
	p.StopGracefully()

	awaitKey(t, js, "mkio_state", "job.aurora-vod.ladder-hd.ep-0417")
	p = bridgetest.StartBridge(t, env...)
	second := bridgetest.StartBridge(t, env...)
	checkStatus(t, p, http.StatusNoContent, "job-started.json") // a duplicate of an event before the last
	p.MustGet("/v1/resources/job/aurora-vod/ladder-hd/ep-0417")
	used = append(used, g.await("$JS.API.DIRECT.GET.KV_mkio_lease.>")...) // the second bridge reads the first one's lease
	g.useRarePermissions()
	p.StopGracefully()
	second.StopGracefully()
	checkUsed(t, publishPermissions(t, "mkio-bridge"), append(used, g.rest()...))
	g.checkNothingRefused()
}

// useRarePermissions makes the requests that a bridge makes when two retry one delivery, and for a name too long for a
// subject.
func (g *natsWithAccounts) useRarePermissions() {
	g.t.Helper()
	nc := g.connect("mkio-bridge", "bridge")
	js, err := jetstream.New(nc)
	if err != nil {
		g.t.Fatal(err)
	}
	p := publish.New(nc, js, publish.Config{Names: event.NewNames("mkio"), Log: slog.New(slog.DiscardHandler)})
	if err := p.DeleteUnapplied(g.t.Context(), 4711); err != nil {
		g.t.Errorf("deleting a deleted unapplied delivery: %v", err)
	}
	if _, err := p.KeyOf(g.t.Context(), "asset.aurora-vod."+strings.Repeat("a", 40)+"=H"+strings.Repeat("0", 32)); err == nil || !strings.Contains(err.Error(), "not in the state bucket") {
		g.t.Errorf("resolving a shortened name: %v", err)
	}
}

// With BRIDGE_STREAM_MANAGE=verify and streams created in advance, the bridge's permissions without those to create streams
// suffice.
func TestVerifyModeNeedsNoCreatePermissions(t *testing.T) {
	g := startWithAccounts(t)
	g.createStreamsFromManifests()
	p := bridgetest.StartBridge(t, g.env("mkio-bridge-verify", "bridge", append(startMKIO(t), "BRIDGE_STREAM_MANAGE=verify")...)...)
	checkStatus(t, p, http.StatusNoContent, "job-started.json")
	g.await("mkio-audit.>")
	p.StopGracefully()
	g.checkNothingRefused()
	var without []string
	for _, subject := range publishPermissions(t, "mkio-bridge") {
		if !strings.HasPrefix(subject, "$JS.API.STREAM.CREATE.") {
			without = append(without, subject)
		}
	}
	if got := publishPermissions(t, "mkio-bridge-verify"); fmt.Sprint(got) != fmt.Sprint(without) {
		t.Errorf("mkio-bridge-verify may publish to %v, want %v", got, without)
	}
}

// The doctor's report names a missing permission and accounts.conf.
func TestDoctorNamesMissingPermission(t *testing.T) {
	for _, subject := range []string{"mkio.>", "mkio-audit.>", "$KV.mkio_lease.>", "$JS.API.STREAM.MSG.DELETE.MKIO_UNAPPLIED"} {
		g := startWithAccounts(t, `"`+subject+`"`, `"nothing"`)
		g.createStreamsFromManifests()
		out, errs, code := bridgetest.Run(t, g.env("mkio-bridge", "bridge"), "doctor")
		if code != exitFailed || !strings.Contains(out, "FAILED   publishing:") || !strings.Contains(out, strings.TrimSuffix(subject, ">")) || !strings.Contains(out, "accounts.conf") {
			t.Errorf("without %s: exit %d: %s%s", subject, code, out, errs)
		}
	}
}
