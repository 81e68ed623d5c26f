package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// useDomain configures a bridge and the commands for the JetStream of a domain, reached through the server at url.
func useDomain(t *testing.T, url, domain string) config {
	t.Helper()
	conf := demoConfig(t.TempDir())
	conf.MkioURL, conf.NatsURL, conf.NatsDomain = "http://127.0.0.1:1", servers(url), domain
	t.Setenv("BRIDGE_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_ADMIN_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_MKIO_URL", conf.MkioURL)
	t.Setenv("BRIDGE_NATS_URL", url)
	if domain != "" {
		t.Setenv("BRIDGE_NATS_DOMAIN", domain)
	}
	return conf
}

// A bridge at a leaf node stores in the configured domain, whether or not the leaf node has a JetStream of its own, and the
// commands read from there.
func TestBridgeOnALeafNodeStoresInTheDomain(t *testing.T) {
	d := brokertest.StartDomain(t)
	for name, url := range map[string]string{"hub": d.Hub, "leaf": d.Leaf, "leaf with JetStream": d.LeafWithJetStream} {
		t.Run(name, func(t *testing.T) {
			conf := useDomain(t, url, d.Name)
			conf.SubjectPrefix = strings.ReplaceAll(name, " ", "-")
			t.Setenv("BRIDGE_SUBJECT_PREFIX", conf.SubjectPrefix)
			b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			for _, file := range []string{"job-started.json", "job-finished.finished.json"} {
				if status := deliver(t, b, bridgetest.Delivery(t, file)); status != http.StatusNoContent {
					t.Errorf("%s: status %d", file, status)
				}
			}
			if err := b.ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
			if domain := b.domain(t.Context()); domain != d.Name {
				t.Errorf("the domain is %q", domain)
			}
			checkStreamIn(t, d.Hub, b.names.EventStream(), true)
			checkStreamIn(t, d.LeafWithJetStream, b.names.EventStream(), false)
			const job = "aurora-vod/ladder-hd/ep-0417"
			wantOutput(t, exitOK, []string{job}, "events")
			bridgetest.Eventually(t, "the state bucket has it", func() bool { out, _, _ := runCommand(t, "state"); return strings.Contains(out, job) })
			wantOutput(t, exitOK, []string{"root "}, "verify")
			wantOutput(t, exitOK, nil, "wait", "job", "aurora-vod", "ladder-hd", "ep-0417", "--for-phase", "succeeded")
			wantOutput(t, exitOK, nil, "unapplied", "list")
			if out, errs, _ := runCommand(t, "audit"); !strings.Contains(out+errs, "no record") { // no sweep was made, so the exit code does not matter
				t.Errorf("audit: %s%s", out, errs)
			}
			wantOutput(t, exitOK, []string{"events, 1 to"}, "replay", conf.SubjectPrefix+"-again", "--live")
			out, _, _ := runCommand(t, "doctor")
			for _, want := range []string{"ok       JetStream: enabled, in domain hub\n", "ok       stream KV_" + strings.ToLower(conf.SubjectPrefix) + "_lease", "ok       publishing"} {
				if !strings.Contains(out, want) {
					t.Errorf("doctor lacks %q: %s", want, out)
				}
			}
		})
	}
}

// checkStreamIn checks whether a server's own JetStream has a stream.
func checkStreamIn(t *testing.T, url, name string, want bool) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Stream(t.Context(), name); (err == nil) != want {
		t.Errorf("%s at %s: %v", name, url, err)
	}
}

// Without BRIDGE_NATS_DOMAIN a leaf node's own JetStream is used, and its domain is reported. If it has none, the error
// names the setting.
func TestMissingDomainSettingIsNamed(t *testing.T) {
	d := brokertest.StartDomain(t)
	useDomain(t, d.Leaf, "")
	for _, args := range [][]string{{"run"}, {"events"}, {"state"}, {"verify"}, {"unapplied", "list"}, {"audit"}, {"wait", "job", "p", "t", "j", "--for", "Finished"}, {"doctor"}} {
		out, errs, code := runCommand(t, args...)
		if output := out + errs; code != exitFailed || !strings.Contains(output, "no response from JetStream") && args[0] != "doctor" || !strings.Contains(output, "BRIDGE_NATS_DOMAIN") {
			t.Errorf("%v: exit %d: %s", args, code, output)
		}
	}
	useDomain(t, d.Leaf, "hib")
	wantOutput(t, exitFailed, []string{"no response from JetStream domain hib", "BRIDGE_NATS_DOMAIN"}, "events")
	conf := useDomain(t, d.LeafWithJetStream, "")
	b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if domain := b.domain(t.Context()); domain != "leaf" {
		t.Errorf("the domain is %q", domain)
	}
}
