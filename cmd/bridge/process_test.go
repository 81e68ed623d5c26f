package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mkio-bridge/internal/schematest"
)

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) { return build("mkio-bridge/cmd/bridge") })

// program is the path of the program. The race detector does not see into processes of their own: they are left out
// where it is run, with the rest of what takes long.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a process of its own")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// natsServer builds the server that other people run.
var natsServer = sync.OnceValues(func() (string, error) { return build("github.com/nats-io/nats-server/v2") })

var binaries struct {
	sync.Mutex
	dir string
}

func build(pkg string) (string, error) {
	binaries.Lock()
	defer binaries.Unlock()
	if binaries.dir == "" {
		dir, err := os.MkdirTemp("", "mkio-bridge-test-")
		if err != nil {
			return "", err
		}
		binaries.dir = dir
	}
	path := filepath.Join(binaries.dir, filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binaries.dir != "" {
		_ = os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

// A process is a running bridge.
type process struct {
	t       *testing.T
	command *exec.Cmd
	lines   chan map[string]any // its log
	said    []string            // the same as it was written, for who knows that it ended
	ended   chan error
	webhook string
	admin   string
	nats    string
}

// startBridge runs `bridge run` on free ports and waits until it listens.
func startBridge(t *testing.T, env ...string) *process {
	t.Helper()
	path := program(t)
	return startProcess(t, exec.CommandContext(t.Context(), path, "run"), env...)
}

// startProcess starts a command that becomes a bridge.
func startProcess(t *testing.T, command *exec.Cmd, env ...string) *process {
	t.Helper()
	p := &process{t: t, command: command, lines: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	p.command.Env = append(os.Environ(), "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN=127.0.0.1:0")
	p.command.Env = append(p.command.Env, env...)
	stderr, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			if line := parseLog(scanner.Text()); line != nil {
				p.lines <- line
			}
			p.said = append(p.said, scanner.Text())
		}
		close(p.lines)
		if err := p.command.Wait(); err != nil {
			p.ended <- fmt.Errorf("%w: %s", err, strings.Join(p.said, "\n"))
		}
		close(p.ended)
	}()
	t.Cleanup(func() { _ = p.command.Process.Kill(); <-p.ended })
	for line := range p.lines {
		addr, _ := line["addr"].(string)
		switch {
		case line["msg"] == "listening" && line["for"] == "webhooks":
			p.webhook = "http://" + addr + webhookPath
		case line["msg"] == "listening" && line["for"] == "admin":
			p.admin = addr
		case line["msg"] == "listening" && line["for"] == "nats":
			p.nats = addr
		}
		if p.admin != "" && (p.nats != "" || hasEnv(env, "BRIDGE_NATS_URL")) {
			return p
		}
	}
	t.Fatalf("the bridge ended: %v", <-p.ended)
	return nil
}

// textLine is a line of a log in text; its groups are of one attribute.
var textLine = regexp.MustCompile(`([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)`)

// parseLog reads a line of a log of either format; nil for what is none.
func parseLog(text string) (line map[string]any) {
	if json.Unmarshal([]byte(text), &line) == nil {
		return line
	}
	line = map[string]any{}
	read := 0
	for _, m := range textLine.FindAllStringSubmatch(text, -1) {
		value := m[2]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		line[m[1]] = value
		read += len(m[0])
	}
	if read != len(text) || line["msg"] == nil {
		return nil
	}
	return line
}

func hasEnv(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// stop ends the bridge as an operator would.
func (p *process) stop() {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		p.t.Errorf("the bridge did not stop well: %v", err)
	}
}

// deliver posts a body and returns the status.
func (p *process) deliver(body []byte) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.webhook, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// command runs another command of the program and returns what it prints and its exit code.
func runCommand(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path := program(t)
	command := exec.CommandContext(t.Context(), path, args...)
	command.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../../internal/mkio/testdata/webhooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRunDeliverRestart(t *testing.T) {
	store := "BRIDGE_STORE_DIR=" + filepath.Join(t.TempDir(), "store")
	p := startBridge(t, store)
	started, finished := fixture(t, "job-started.json"), fixture(t, "job-finished.finished.json")
	for _, body := range [][]byte{started, finished, finished, started} {
		if status := p.deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	const want = "mkio.job.aurora-vod.ladder-hd.ep-0417.finished"
	checkLog := func(p *process) {
		t.Helper()
		env := []string{"BRIDGE_NATS_LISTEN=" + p.nats}
		if log := readLog(t, env, "--kind", "job", "--name=ep-0417"); len(log) != 2 {
			t.Fatalf("the log holds %v", log)
		}
		stdout := awaitState(t, env)
		if strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "job aurora-vod/ladder-hd/ep-0417") {
			t.Errorf("state: %s", stdout)
		}
		if stdout, stderr, code := runCommand(t, []string{"BRIDGE_ADMIN_LISTEN=" + p.admin}, "healthcheck"); code != exitOK || stdout != "ready\n" {
			t.Errorf("healthcheck: exit %d: %s%s", code, stdout, stderr)
		}
		body := get(t, "http://"+p.admin+"/v1/resources/job/aurora-vod/ladder-hd/ep-0417", http.StatusOK)
		if !strings.Contains(body, want) {
			t.Errorf("resource %s", body)
		}
	}
	checkLog(p)
	p.stop()

	p = startBridge(t, store)
	if status := p.deliver(finished); status != http.StatusNoContent {
		t.Errorf("status %d after the restart", status)
	}
	checkLog(p)
	_, stderr, code := runCommand(t, []string{store, "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN="}, "run")
	if code != exitFailed || !strings.Contains(stderr, "in use by another bridge") {
		t.Errorf("a second bridge on the same store: exit %d: %s", code, stderr)
	}
	p.stop()
}

// readLog returns the sources of the events that bridge events prints.
func readLog(t *testing.T, env []string, flags ...string) (sources []string) {
	t.Helper()
	stdout, stderr, code := runCommand(t, env, append([]string{"events", "--output", "json"}, flags...)...)
	if code != exitOK {
		t.Fatalf("events: exit %d: %s", code, stderr)
	}
	for line := range strings.Lines(stdout) {
		schematest.Event(t, []byte(line))
		var e struct{ Source string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, e.Source)
	}
	return sources
}

// awaitState runs bridge state until it shows something: the server fills the bucket on its own.
func awaitState(t *testing.T, env []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		stdout, stderr, code := runCommand(t, env, "state", "--state", "finished")
		if code != exitOK {
			t.Fatalf("state: exit %d: %s", code, stderr)
		}
		if stdout != "" {
			return stdout
		}
	}
	t.Fatal("the state bucket stays empty")
	return ""
}

func get(t *testing.T, url string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Errorf("%s: status %d, want %d, %v: %s", url, response.StatusCode, want, err, body)
	}
	return string(body)
}

// A kill loses nothing that was acknowledged.
func TestKilledWhileDelivering(t *testing.T) {
	store := "BRIDGE_STORE_DIR=" + filepath.Join(t.TempDir(), "store")
	p := startBridge(t, store)
	var acknowledged []string
	for i := range 200 {
		name := fmt.Sprint("ep-", i)
		if status := p.deliver(bytes.ReplaceAll(fixture(t, "job-started.json"), []byte("ep-0417"), []byte(name))); status == http.StatusNoContent {
			acknowledged = append(acknowledged, name)
		}
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	p = startBridge(t, store)
	log := readLog(t, []string{"BRIDGE_NATS_LISTEN=" + p.nats})
	for _, name := range acknowledged {
		if !slices.Contains(log, "https://app.mk.io/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/"+name) {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	p.stop()
}

func TestTwoBridgesOnOneNATS(t *testing.T) {
	path, err := natsServer()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	server := exec.CommandContext(t.Context(), path, "-js", "-sd", filepath.Join(dir, "js"), "-a", "127.0.0.1", "-p", "-1", "--user", "me", "--pass", "hunter2", "--ports_file_dir", dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	url := awaitPorts(t, dir)

	env := []string{"BRIDGE_NATS_USER=me", "BRIDGE_NATS_PASSWORD=hunter2", "BRIDGE_NATS_URL=" + url}
	a, b := startBridge(t, env...), startBridge(t, env...)
	for _, name := range []string{"job-started.json", "job-finished.finished.json", "streaming-locator-created.json"} {
		body := fixture(t, name)
		var wg sync.WaitGroup
		for _, p := range []*process{a, b, a, b} {
			wg.Go(func() {
				if status := p.deliver(body); status != http.StatusNoContent {
					t.Errorf("status %d", status)
				}
			})
		}
		wg.Wait()
	}
	if log := readLog(t, env); len(log) != 3 {
		t.Errorf("the log holds %v", log)
	}
	a.stop()
	b.stop()
}

// awaitPorts reads the address from the file that a server writes when it listens.
func awaitPorts(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ; ctx.Err() == nil; runtime.Gosched() {
		files, err := filepath.Glob(filepath.Join(dir, "*.ports"))
		if err != nil || len(files) == 0 {
			continue
		}
		content, err := os.ReadFile(files[0])
		var ports struct {
			Nats []string `json:"nats"`
		}
		if err == nil && json.Unmarshal(content, &ports) == nil && len(ports.Nats) > 0 {
			return ports.Nats[0]
		}
	}
	t.Fatal("the server does not listen")
	return ""
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args []string
		env  []string
		code int
		want string
	}{
		{[]string{"help"}, nil, exitOK, "healthcheck"},
		{[]string{"-h"}, nil, exitOK, "Usage: bridge"},
		{[]string{"events", "-h"}, nil, exitOK, "-follow"},
		{[]string{"help", "events"}, nil, exitOK, "-follow"},
		{[]string{"help", "help"}, nil, exitOK, "Usage: bridge"},
		{[]string{"help", "dance"}, nil, exitUsage, "no command \"dance\""},
		{[]string{"config", "-h"}, nil, exitOK, "BRIDGE_WEBHOOK_SECRETS"},
		{[]string{"dance"}, nil, exitUsage, "no command \"dance\""},
		{[]string{"events", "--kind", "cassette"}, nil, exitUsage, "streaming-locator"},
		{[]string{"events", "--output", "xml"}, nil, exitUsage, "text or json"},
		{[]string{"events", "extra"}, nil, exitUsage, "extra"},
		{[]string{"events", "--since", "yesterday"}, nil, exitUsage, "2031-03-04T10:00:00Z"},
		{[]string{"events", "--seq", "1", "--since", "1h"}, nil, exitUsage, "exclude"},
		{[]string{"events"}, []string{"BRIDGE_NATS_LISTEN=127.0.0.1:1"}, exitUnreachable, "127.0.0.1:1"},
		{[]string{"state"}, []string{"BRIDGE_NATS_URL=nats://me:hunter2@127.0.0.1:1"}, exitUnreachable, "127.0.0.1:1"},
		{[]string{"run"}, []string{"BRIDGE_NATS_URL=nats://127.0.0.1:1"}, exitUnreachable, "BRIDGE_NATS_URL"},
		{[]string{"run"}, []string{"BRIDGE_NATS_URL=nats://127.0.0.1:1", "BRIDGE_NATS_CREDS=/gone"}, exitUsage, "BRIDGE_NATS_CREDS: open /gone"},
		{[]string{"events"}, []string{"BRIDGE_NATS_URL=,"}, exitUsage, "BRIDGE_NATS_URL names no server"},
		{[]string{"run"}, []string{"BRIDGE_TLS_CERT=/gone", "BRIDGE_TLS_KEY=/gone"}, exitUsage, "BRIDGE_TLS_CERT"},
		{[]string{"run"}, []string{"BRIDGE_LISTEN=:0"}, exitUsage, "BRIDGE_WEBHOOK_SECRETS"},
		{[]string{"config"}, []string{"BRIDGE_WEBHOOK_SECRETS=hunter2"}, exitOK, " [masked]\n"},
		{[]string{"config"}, []string{"BRIDGE_LOG_LEVL=info"}, exitUsage, "BRIDGE_LOG_LEVEL"},
		{[]string{"schema"}, nil, exitOK, "asyncapi.yaml\ncoverage.schema.json\nevent-headers.schema.json\nevent.schema.json\nstate-changed.schema.json\nunapplied.schema.json\n"},
		{[]string{"schema", "event.schema.json"}, nil, exitOK, "urn:mkio-bridge:schema:event:1"},
		{[]string{"schema", "asyncapi.yaml"}, nil, exitOK, "asyncapi: 3.1.0"},
		{[]string{"schema", "../go.mod"}, nil, exitUsage, "there is no schema"},
		{[]string{"version"}, nil, exitOK, "bridge "},
		{[]string{"healthcheck"}, []string{"BRIDGE_ADMIN_LISTEN=127.0.0.1:1"}, exitFailed, "127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			stdout, stderr, code := runCommand(t, tt.env, tt.args...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestDemo(t *testing.T) {
	stdout, stderr, code := runCommand(t, nil, "demo", "--within", "2s", "--jobs", "10")
	if code != exitOK || !strings.Contains(stdout, "Checked: every chain is whole") || !strings.Contains(stdout, "job aurora-vod/ladder-hd/nightly-promo") ||
		!strings.Contains(stdout, "→ Deleted") {
		t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
	}
}
