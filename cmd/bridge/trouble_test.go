package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
)

// A natsProcess is a NATS server that other people run, with its configuration file.
type natsProcess struct {
	t       *testing.T
	command *exec.Cmd
	file    string
	url     string
}

func runNATS(t *testing.T, settings string) *natsProcess {
	t.Helper()
	path, err := natsServer()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n := &natsProcess{t: t, file: filepath.Join(dir, "nats.conf")}
	n.configure(settings)
	n.command = exec.CommandContext(t.Context(), path, "-c", n.file, "-js", "-sd", filepath.Join(dir, "js"), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", dir)
	if err := n.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.signal(syscall.SIGCONT); _ = n.command.Process.Kill(); _ = n.command.Wait() })
	n.url = awaitPorts(t, dir)
	return n
}

func (n *natsProcess) configure(settings string) {
	n.t.Helper()
	if err := os.WriteFile(n.file, []byte(settings), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *natsProcess) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.command.Process.Signal(s); err != nil {
		n.t.Error(err)
	}
}

// freeze stops the server, and returns when it has stopped.
func (n *natsProcess) freeze() {
	n.t.Helper()
	n.signal(syscall.SIGSTOP)
	for n.t.Context().Err() == nil {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.command.Process.Pid))
		if err != nil {
			n.t.Fatal(err)
		}
		if strings.Contains(string(stat), ") T ") {
			return
		}
	}
}

// An attempt is one delivery and its answer.
type attempt struct {
	status int
	again  string // Retry-After
	took   time.Duration
}

// try delivers a job of a name.
func (p *process) try(name string) attempt {
	p.t.Helper()
	began := time.Now()
	body := bytes.ReplaceAll(fixture(p.t, "job-started.json"), []byte("ep-0417"), []byte(name))
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.webhook, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Error(err)
		return attempt{}
	}
	defer response.Body.Close()
	return attempt{response.StatusCode, response.Header.Get("Retry-After"), time.Since(began)}
}

// readOn lets the bridge log what nobody reads.
func (p *process) readOn() {
	go func() {
		for range p.lines { // until it ends
		}
	}()
}

// readiness is what /readyz says.
func (p *process) readiness() (status int, why string) {
	p.t.Helper()
	response, err := http.Get("http://" + p.admin + "/readyz")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var problem struct{ Detail string }
	_ = json.NewDecoder(response.Body).Decode(&problem)
	return response.StatusCode, problem.Detail
}

// awaitReadiness waits until /readyz says something, and returns why.
func (p *process) awaitReadiness(want int) string {
	p.t.Helper()
	var last string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		status, why := p.readiness()
		if status == want {
			return why
		}
		last = why
	}
	p.t.Fatalf("/readyz does not come to say %d: %s", want, last)
	return ""
}

// measure reads a metric without labels.
func (p *process) measure(name string) float64 {
	p.t.Helper()
	for line := range strings.Lines(get(p.t, "http://"+p.admin+"/metrics", http.StatusOK)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}

// A NATS server that is connected and says nothing: deliveries are refused at once, nothing piles up, and when it
// goes on so does the bridge.
func TestASilentNATSIsRefusedAtOnce(t *testing.T) {
	server := runNATS(t, "")
	env := []string{"BRIDGE_NATS_URL=" + server.url}
	p := startBridge(t, env...)
	if a := p.try("before"); a.status != http.StatusNoContent {
		t.Fatalf("status %d", a.status)
	}
	p.readOn()
	quiet := p.measure("go_goroutines")
	server.freeze()

	const senders, each = 100, 8
	var (
		mu       sync.Mutex
		slow     int
		attempts []attempt
		most     float64
		wg       sync.WaitGroup
	)
	for sender := range senders {
		wg.Go(func() {
			for n := range each {
				a := p.try(fmt.Sprint("ep-", sender, "-", n))
				mu.Lock()
				attempts = append(attempts, a)
				if a.took > 2*time.Second {
					slow++
				}
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for flooding := true; flooding; {
		select {
		case <-done:
			flooding = false
		case <-time.After(100 * time.Millisecond):
		}
		most = max(most, p.measure("go_goroutines"))
	}
	for _, a := range attempts {
		if a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests || a.again == "" {
			t.Errorf("status %d, Retry-After %q", a.status, a.again)
			break
		}
		if a.took > 6*time.Second {
			t.Errorf("refused after %s", a.took)
			break
		}
	}
	if slow > 2*senders { // those who came before it was known
		t.Errorf("%d of %d waited", slow, len(attempts))
	}
	if most > quiet+10*senders { // a connection has a few of its own
		t.Errorf("%v goroutines, %v before", most, quiet)
	}
	if status, why := p.readiness(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d: %s", status, why)
	}

	server.signal(syscall.SIGCONT)
	p.awaitReadiness(http.StatusOK)
	if a := p.try("ep-0-0"); a.status != http.StatusNoContent {
		t.Errorf("status %d afterwards", a.status)
	}
	if log := readLog(t, env); !holds(log, "before") || !holds(log, "ep-0-0") {
		t.Errorf("what was acknowledged is not in the log of %d events", len(log))
	}
	if v := p.measure("mkio_bridge_store_troubled"); v != 0 {
		t.Errorf("mkio_bridge_store_troubled is %v", v)
	}
	p.stop()
}

func holds(log []string, job string) bool {
	for _, source := range log {
		if strings.HasSuffix(source, "/jobs/"+job) {
			return true
		}
	}
	return false
}

// A user that may not publish to the log any more makes no bridge that is ready, nor does a password that was
// changed; and what is put right is used without a restart.
func TestRightsThatAreTakenAwayAreNoticed(t *testing.T) {
	settings := func(password, denied string) string {
		return fmt.Sprintf(`authorization { users: [ {user: me, password: %q, permissions: {publish: {deny: [%s]}, subscribe: ">"}}, {user: other, password: other} ] }`, password, denied)
	}
	server := runNATS(t, settings("hunter2", ""))
	password := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(password, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2")
	p := startBridge(t, "BRIDGE_NATS_URL="+server.url, "BRIDGE_NATS_USER=me", "BRIDGE_NATS_PASSWORD_FILE="+password)
	p.readOn()
	p.awaitReadiness(http.StatusOK)

	server.configure(settings("hunter2", `"mkio.>"`))
	server.signal(syscall.SIGHUP)
	if why := p.awaitReadiness(http.StatusServiceUnavailable); strings.Contains(why, "hunter") {
		t.Errorf("a secret is shown: %s", why)
	}
	for status := 0; status != http.StatusServiceUnavailable; status, _ = p.readiness() { // it was disconnected for a moment, too
	}
	if a := p.try("ep-1"); a.status != http.StatusServiceUnavailable || a.again == "" {
		t.Errorf("without the right to publish: status %d, Retry-After %q", a.status, a.again)
	}
	server.configure(settings("hunter2", ""))
	server.signal(syscall.SIGHUP)
	p.awaitReadiness(http.StatusOK)

	server.configure(settings("hunter3", ""))
	server.signal(syscall.SIGHUP)
	p.awaitReadiness(http.StatusServiceUnavailable)
	if a := p.try("ep-1"); a.status != http.StatusServiceUnavailable || a.again == "" || a.took > 5*time.Second {
		t.Errorf("with a password that was changed: %+v", a)
	}
	write("hunter3")
	p.awaitReadiness(http.StatusOK)
	if a := p.try("ep-1"); a.status != http.StatusNoContent {
		t.Errorf("status %d afterwards", a.status)
	}
	p.stop()
}

// What the bridge tries is not shown to those who read along on its own server.
func TestReadersDoNotSeeProbes(t *testing.T) {
	b, _, _ := serveForTest(t, nil)
	nc, err := nats.Connect(b.embedded.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	seen, err := nc.SubscribeSync("mkio.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := deliver(t, b, fixture(t, "streaming-locator-created.json")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	m, err := seen.NextMsgWithContext(t.Context())
	if err != nil || m.Header.Get(event.HeaderProbe) != "" || len(m.Data) == 0 {
		t.Errorf("a reader sees %v, %v", m, err)
	}
}

func TestTheLineOfDurabilityIsTrue(t *testing.T) {
	b := openForTest(t)
	if line := b.durability(t.Context()); line != "an acknowledged event is on disk" {
		t.Errorf("embedded: %s", line)
	}
	c := demoConfig(t.TempDir())
	c.Sync = syncMode(2 * time.Second)
	e, err := broker.Start(broker.EmbeddedConfig{StoreDir: c.StoreDir, SyncInterval: 2 * time.Second, Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown()
	if line := (&bridge{config: c, embedded: e}).durability(t.Context()); !strings.Contains(line, "up to 2s") {
		t.Errorf("with an interval: %s", line)
	}
	c.NatsURL = servers(startNATS(t, ""))
	foreign, err := open(t.Context(), c, b.log)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.close()
	if line := foreign.durability(t.Context()); !strings.Contains(line, "stored once") || !strings.Contains(line, "sync_interval") {
		t.Errorf("someone else's: %s", line)
	}
}

// After some errors the client does not connect again: a bridge that went on would refuse everything for ever.
func TestAConnectionThatIsClosedForGoodEndsTheBridge(t *testing.T) {
	b := openForTest(t)
	l, err := listen(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.serve(t.Context(), l) }()
	b.nats.Close()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "closed for good") {
		t.Errorf("it ended with %v", err)
	}
}
