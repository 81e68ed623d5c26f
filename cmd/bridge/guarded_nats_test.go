package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	defer watcher.Stop()
	for entry := range watcher.Updates() {
		if entry != nil {
			return
		}
	}
	t.Fatalf("bucket %s never has %s", bucket, key)
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
