//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// accountsFile is the accounts configuration that deploy/nats documents.
var accountsFile = bridgetest.RepositoryPath("deploy/nats/accounts.conf")

// A natsWithAccounts is a NATS server that runs accountsFile.
type natsWithAccounts struct {
	*bridgetest.NATS
	t     *testing.T
	admin *nats.Conn
	seen  *nats.Subscription // to every subject in the streams' account
}

// startWithAccounts starts a server with accountsFile; oldnew are pairs of strings to replace in it.
func startWithAccounts(t *testing.T, oldnew ...string) *natsWithAccounts {
	t.Helper()
	accounts, err := os.ReadFile(accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"bridge", "notify", "replay", "admin", "reader"} {
		t.Setenv("MKIO_"+strings.ToUpper(user)+"_PASSWORD", user+"-REDACT-ME")
	}
	g := &natsWithAccounts{NATS: bridgetest.StartNATS(t, strings.NewReplacer(oldnew...).Replace(string(accounts))), t: t}
	g.admin = g.connect("mkio-admin", "admin")
	if g.seen, err = g.admin.SubscribeSync(">"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.seen.SetPendingLimits(-1, -1), g.admin.Flush()); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *natsWithAccounts) connect(user, password string, more ...nats.Option) *nats.Conn {
	g.t.Helper()
	nc, err := nats.Connect(g.URL, append(more, nats.UserInfo(user, password+"-REDACT-ME"))...)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

// env returns the environment with which a bridge or a command connects as a user.
func (g *natsWithAccounts) env(user, password string, more ...string) []string {
	return append([]string{"BRIDGE_NATS_URL=" + g.URL, "BRIDGE_NATS_USER=" + user, "BRIDGE_NATS_PASSWORD=" + password + "-REDACT-ME"}, more...)
}

// await waits for a message on each of the subjects, in any order, and returns the subjects of all messages up to the last
// one.
func (g *natsWithAccounts) await(subjects ...string) (seen []string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	for {
		m, err := g.seen.NextMsgWithContext(ctx)
		if err != nil {
			g.t.Fatalf("nothing is published on %s: %v", subjects, err)
		}
		seen = append(seen, m.Subject)
		subjects = slices.DeleteFunc(subjects, func(pattern string) bool { return matches(pattern, m.Subject) })
		if len(subjects) == 0 {
			return seen
		}
	}
}

// rest returns the subjects of the messages published since the last await or rest.
func (g *natsWithAccounts) rest() []string {
	g.t.Helper()
	end := nats.NewInbox()
	if err := g.admin.Publish(end, nil); err != nil {
		g.t.Fatal(err)
	}
	return g.await(end)
}

// checkNothingRefused fails the test if the server logged an error or a permission violation.
func (g *natsWithAccounts) checkNothingRefused() {
	g.t.Helper()
	for line := range strings.Lines(g.Log.String()) {
		if strings.Contains(line, "[ERR]") || strings.Contains(line, "iolation") {
			g.t.Error(line)
		}
	}
}

// publishPermissions returns the subjects that a user of accountsFile may publish to; for "", those exported to readers.
func publishPermissions(t *testing.T, user string) (may []string) {
	t.Helper()
	for _, name := range []string{"MKIO_BRIDGE_PASSWORD", "MKIO_NOTIFY_PASSWORD", "MKIO_REPLAY_PASSWORD", "MKIO_ADMIN_PASSWORD", "MKIO_READER_PASSWORD"} {
		t.Setenv(name, "x")
	}
	parsed, err := conf.ParseFile(accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	account := parsed["accounts"].(map[string]any)["MKIO"].(map[string]any)
	if user == "" {
		for _, e := range account["exports"].([]any) {
			if service, ok := e.(map[string]any)["service"].(string); ok && !strings.HasPrefix(service, "$JS.FC.") { // flow control, needed by slow readers only
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

// matches reports whether a subject matches a pattern with NATS wildcards.
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

// checkUsed fails the test for each allowed subject that was not used. It ignores deletes of consumers: whether a client
// deletes its consumer or leaves it to the server's timeout depends on timing.
func checkUsed(t *testing.T, may, used []string) {
	t.Helper()
	for _, pattern := range may {
		found := strings.Contains(pattern, ".CONSUMER.DELETE.") || slices.ContainsFunc(used, func(subject string) bool { return matches(pattern, subject) })
		if !found {
			t.Errorf("%s is allowed but unused", pattern)
		}
	}
}

// startMKIO starts a fake MK.IO with one project and one live event, and returns the settings of a bridge that polls it.
// Jobs are not polled: they come by webhook only.
func startMKIO(t *testing.T) []string {
	t.Helper()
	fake := mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}, ReadLimit: -1})
	live, err := lifecycle.NewKey(lifecycle.LiveEvent, mkiofake.VOD, "e1")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(live, "Running")
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	return []string{
		"BRIDGE_MKIO_URL=" + api.URL, "BRIDGE_MKIO_TOKEN=" + token, "BRIDGE_POLL_RATE=100000",
		"BRIDGE_KINDS=live-event,live-output,asset", "BRIDGE_POLL_ACTIVE=1s", "BRIDGE_POLL_SWEEP=1s", "BRIDGE_POLL_FULL=1s",
		"BRIDGE_WEBHOOK_URL=https://bridge.example.com", secretEnv,
		"HTTPS_PROXY=http://127.0.0.1:1", // no request leaves this machine, the doctor's included
	}
}

// checkStatus posts the delivery in a file with the secret of [startMKIO].
func checkStatus(t *testing.T, b *bridgetest.Bridge, want int, file string) {
	t.Helper()
	if status := b.Deliver(bridgetest.Delivery(t, file), "X-Webhook-Secret", secret); status != want {
		t.Errorf("%s: status %d, want %d", file, status, want)
	}
}

// createStreamsFromManifests creates the streams of deploy/streams.
func (g *natsWithAccounts) createStreamsFromManifests() {
	g.t.Helper()
	js, err := jetstream.New(g.admin)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, name := range []string{"MKIO_EVENTS", "KV_mkio_state", "MKIO_UNAPPLIED", "MKIO_AUDIT", "KV_mkio_lease", "KV_mkio_bridge", "KV_mkio_progress"} {
		content, err := os.ReadFile(bridgetest.RepositoryPath("deploy/streams/" + name + ".json"))
		if err != nil {
			g.t.Fatal(err)
		}
		var stream jetstream.StreamConfig
		if err := json.Unmarshal(content, &stream); err != nil {
			g.t.Fatal(err)
		}
		stream.Replicas = 1 // a single server
		if _, err := js.CreateStream(g.t.Context(), stream); err != nil {
			g.t.Fatalf("%s: %v", name, err)
		}
	}
}
