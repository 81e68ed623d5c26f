package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/publish"
)

// accountsFile is what operators are given.
const accountsFile = "../../deploy/nats/accounts.conf"

// guardedNATS is a server with the accounts that operators are given.
type guardedNATS struct {
	t        *testing.T
	url, log string
	admin    *nats.Conn
	seen     *nats.Subscription // of all that is published in the streams' account
}

// startGuarded starts the server, with the accounts file as it is but for what change makes of it.
func startGuarded(t *testing.T, change func(string) string) *guardedNATS {
	t.Helper()
	path, err := natsServer()
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := os.ReadFile(accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g := &guardedNATS{t: t, log: filepath.Join(dir, "log")}
	for name, content := range map[string]string{
		"accounts.conf": change(string(accounts)),
		"nats.conf":     "include \"accounts.conf\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.CommandContext(t.Context(), path, "-c", filepath.Join(dir, "nats.conf"), "-js", "-sd", filepath.Join(dir, "js"),
		"-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", dir, "-l", g.log)
	server.Env = append(os.Environ(), "MKIO_BRIDGE_PASSWORD=bridge-REDACT-ME", "MKIO_REPLAY_PASSWORD=replay-REDACT-ME",
		"MKIO_ADMIN_PASSWORD=admin-REDACT-ME", "MKIO_READER_PASSWORD=reader-REDACT-ME")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	g.url = awaitPorts(t, dir)
	g.admin = g.connect("mkio-admin", "admin")
	if g.seen, err = g.admin.SubscribeSync(">"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.seen.SetPendingLimits(-1, -1), g.admin.Flush()); err != nil {
		t.Fatal(err)
	}
	return g
}

func asItIs(s string) string { return s }

func (g *guardedNATS) connect(user, password string, more ...nats.Option) *nats.Conn {
	g.t.Helper()
	nc, err := nats.Connect(g.url, append(more, nats.UserInfo(user, password+"-REDACT-ME"))...)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

// env has a bridge or a command come in as a user.
func (g *guardedNATS) env(user, password string, more ...string) []string {
	return append([]string{"BRIDGE_NATS_URL=" + g.url, "BRIDGE_NATS_USER=" + user, "BRIDGE_NATS_PASSWORD=" + password + "-REDACT-ME"}, more...)
}

// await reads what is published until it is on the subject, and returns all subjects up to there.
func (g *guardedNATS) await(subject string) (subjects []string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	for {
		m, err := g.seen.NextMsgWithContext(ctx)
		if err != nil {
			g.t.Fatalf("nothing comes on %s: %v", subject, err)
		}
		subjects = append(subjects, m.Subject)
		if matches(subject, m.Subject) {
			return subjects
		}
	}
}

// rest is what was published up to now.
func (g *guardedNATS) rest() []string {
	g.t.Helper()
	end := nats.NewInbox()
	if err := g.admin.Publish(end, nil); err != nil {
		g.t.Fatal(err)
	}
	return g.await(end)
}

// unhindered fails the test when the server refused somebody something.
func (g *guardedNATS) unhindered() {
	g.t.Helper()
	log, err := os.ReadFile(g.log)
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "[ERR]") || strings.Contains(line, "iolation") {
			g.t.Error(line)
		}
	}
}

// rights are the subjects that a user of the accounts file may publish to.
func rights(t *testing.T, user string) (may []string) {
	t.Helper()
	for _, name := range []string{"MKIO_BRIDGE_PASSWORD", "MKIO_REPLAY_PASSWORD", "MKIO_ADMIN_PASSWORD", "MKIO_READER_PASSWORD"} {
		t.Setenv(name, "x")
	}
	parsed, err := conf.ParseFile(accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	account := parsed["accounts"].(map[string]any)["MKIO"].(map[string]any)
	if user == "" { // readers: what is exported to them
		for _, e := range account["exports"].([]any) {
			if service, ok := e.(map[string]any)["service"].(string); ok && !strings.HasPrefix(service, "$JS.FC.") { // which a slow reader needs
				may = append(may, service)
			}
		}
		return may
	}
	for _, u := range account["users"].([]any) {
		if u := u.(map[string]any); u["user"] == user {
			for _, subject := range u["permissions"].(map[string]any)["publish"].(map[string]any)["allow"].([]any) {
				may = append(may, subject.(string))
			}
		}
	}
	return may
}

// matches says whether a subject is one of a pattern.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i := range p {
		if p[i] == ">" {
			return len(s) > i
		}
		if i >= len(s) || p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

// wantUsed fails the test for each right that nobody made use of. Clients delete their consumers when they go, or leave
// it to the server: whether they get to it is chance.
func wantUsed(t *testing.T, may, used []string) {
	t.Helper()
	for _, pattern := range may {
		found := strings.Contains(pattern, ".CONSUMER.DELETE.")
		for _, subject := range used {
			found = found || matches(pattern, subject)
		}
		if !found {
			t.Errorf("%s is allowed, and was not needed", pattern)
		}
	}
}

// watchedMKIO is a MK.IO of one project with one live event, and the settings of a bridge that works with it.
func watchedMKIO(t *testing.T) []string {
	t.Helper()
	m := &tinyMKIO{t: t, rules: map[string]map[string]any{}, live: `{"name":"e1","properties":{"resourceState":"Running"}}`}
	api := httptest.NewServer(m)
	t.Cleanup(api.Close)
	return []string{
		"BRIDGE_MKIO_URL=" + api.URL, "BRIDGE_MKIO_TOKEN=" + token(time.Now().AddDate(0, 2, 0)), "BRIDGE_POLL_RATE=100000",
		"BRIDGE_POLL_ACTIVE=1s", "BRIDGE_POLL_SWEEP=1s", "BRIDGE_POLL_FULL=1s",
		"BRIDGE_WEBHOOK_URL=https://bridge.example.com", "BRIDGE_WEBHOOK_SECRETS=REDACT-ME",
	}
}

// deliverAs is deliver with the secret of watchedMKIO.
func (p *process) deliverAs(secret string, body []byte) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.webhook+"?access_token="+secret, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func (p *process) wantStatus(want int, name string) {
	p.t.Helper()
	if status := p.deliverAs("REDACT-ME", fixture(p.t, name)); status != want {
		p.t.Errorf("%s is answered %d, want %d", name, status, want)
	}
}

// The rights of the accounts file are enough for all that a bridge does in its life, and each of them is needed.
func TestTheBridgesRightsAreEnoughAndNeeded(t *testing.T) {
	g := startGuarded(t, asItIs)
	env := g.env("mkio-bridge", "bridge", watchedMKIO(t)...)
	p := startBridge(t, append(env, "BRIDGE_PROJECTS=aurora-live")...) // so that a delivery of aurora-vod is put aside
	p.wantStatus(http.StatusAccepted, "job-finished.finished.json")
	p.stop()

	p = startBridge(t, env...)
	used := g.await("$JS.API.STREAM.INFO.MKIO_EVENTS")
	p.wantStatus(http.StatusNoContent, "job-started.json")
	used = append(used, g.await("mkio-audit.>")...) // a sweep is done
	retry := append(env, "BRIDGE_ADMIN_LISTEN="+p.admin)
	if out, errs, code := runCommand(t, retry, "unapplied", "retry"); code != exitOK || !strings.Contains(out, "it is an event now, removed") {
		t.Errorf("retry: exit %d: %s%s", code, out, errs)
	}
	if out, errs, code := runCommand(t, env, "doctor"); strings.Contains(out, "FAILED   stream") || !strings.Contains(out, "ok       publishing") {
		t.Errorf("doctor: exit %d: %s%s", code, out, errs)
	}
	used = append(used, g.rest()...)

	js, err := jetstream.New(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"KV_mkio_state", "MKIO_EVENTS", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_bridge", "KV_mkio_lease"} {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		used = append(used, g.await("$JS.API.STREAM.CREATE."+name)...)
	}
	used = append(used, g.await("mkio.live-event.aurora-vod.e1.running")...) // recorded anew
	p.wantStatus(http.StatusNoContent, "job-started.json")
	p.wantStatus(http.StatusNoContent, "job-finished.finished.json")
	p.stop()

	awaitBucket(t, js, "mkio_state", "job.aurora-vod.ladder-hd.ep-0417")
	p = startBridge(t, env...)
	second := startBridge(t, env...)
	p.wantStatus(http.StatusNoContent, "job-started.json") // which is not its last event
	get(t, "http://"+p.admin+"/v1/resources/job/aurora-vod/ladder-hd/ep-0417", http.StatusOK)
	used = append(used, g.await("$JS.API.DIRECT.GET.KV_mkio_lease.>")...) // the lease is held by one of them
	g.whatIsRare()
	p.stop()
	second.stop()
	wantUsed(t, rights(t, "mkio-bridge"), append(used, g.rest()...))
	g.unhindered()
}

// awaitBucket returns when a bucket has a key: the server fills it on its own.
func awaitBucket(t *testing.T, js jetstream.JetStream, bucket, key string) {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watcher, err := kv.Watch(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop() //nolint:errcheck // the test has what it waited for
	for entry := range watcher.Updates() {
		if entry != nil {
			return
		}
	}
	t.Fatalf("bucket %s never has %s", bucket, key)
}

// whatIsRare asks as a bridge does when two retry one delivery, and for a name that is too long for a subject.
func (g *guardedNATS) whatIsRare() {
	g.t.Helper()
	nc := g.connect("mkio-bridge", "bridge")
	js, err := jetstream.New(nc)
	if err != nil {
		g.t.Fatal(err)
	}
	p := publish.New(nc, js, publish.Config{Names: event.NewNames("mkio"), Log: slog.New(slog.DiscardHandler)})
	if err := p.Drop(g.t.Context(), 4711); err != nil {
		g.t.Errorf("remove what is not there any more: %v", err)
	}
	if _, err := p.KeyOf(g.t.Context(), "asset.aurora-vod."+strings.Repeat("a", 40)+"=H"+strings.Repeat("0", 32)); err == nil || !strings.Contains(err.Error(), "does not have it") {
		g.t.Errorf("look a cut name up: %v", err)
	}
}

// With streams that somebody else makes, the rights without those to make them are enough.
func TestTheRightsOfABridgeThatVerifies(t *testing.T) {
	g := startGuarded(t, asItIs)
	g.makeStreamsOfTheManifests()
	p := startBridge(t, g.env("mkio-bridge-verify", "bridge", append(watchedMKIO(t), "BRIDGE_STREAM_MANAGE=verify")...)...)
	p.wantStatus(http.StatusNoContent, "job-started.json")
	g.await("mkio-audit.>")
	p.stop()
	g.unhindered()
	var without []string
	for _, subject := range rights(t, "mkio-bridge") {
		if !strings.HasPrefix(subject, "$JS.API.STREAM.CREATE.") {
			without = append(without, subject)
		}
	}
	if got := rights(t, "mkio-bridge-verify"); fmt.Sprint(got) != fmt.Sprint(without) {
		t.Errorf("it may %v, and would be alike with %v", got, without)
	}
}

// makeStreamsOfTheManifests makes the streams of the files that operators are given.
func (g *guardedNATS) makeStreamsOfTheManifests() {
	g.t.Helper()
	js, err := jetstream.New(g.admin)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, name := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_lease", "KV_mkio_bridge"} {
		content, err := os.ReadFile("../../deploy/streams/" + name + ".json")
		if err != nil {
			g.t.Fatal(err)
		}
		var stream jetstream.StreamConfig
		if err := json.Unmarshal(content, &stream); err != nil {
			g.t.Fatal(err)
		}
		stream.Replicas = 1 // this is one server
		if _, err := js.CreateStream(g.t.Context(), stream); err != nil {
			g.t.Fatalf("%s: %v", name, err)
		}
	}
}

// What the doctor says when a right is missing.
func TestDoctorFindsTheRightThatIsMissing(t *testing.T) {
	for _, right := range []string{"mkio.>", "mkio-audit.>", "$KV.mkio_lease.>", "$JS.API.STREAM.MSG.DELETE.MKIO_UNAPPLIED"} {
		g := startGuarded(t, func(s string) string { return strings.ReplaceAll(s, `"`+right+`"`, `"nothing"`) })
		makeStreams(t, g.url, nats.UserInfo("mkio-admin", "admin-REDACT-ME"))
		out, errs, code := runCommand(t, g.env("mkio-bridge", "bridge"), "doctor")
		if code != exitFailed || !strings.Contains(out, "FAILED   publishing:") || !strings.Contains(out, strings.TrimSuffix(right, ">")) || !strings.Contains(out, "accounts.conf") {
			t.Errorf("without %s: exit %d: %s%s", right, code, out, errs)
		}
	}
}
