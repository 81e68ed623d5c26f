package bridgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Bridge is a running `bridge run` on free ports. It ends with the test.
type Bridge struct {
	*Process
	Webhook string // URL that deliveries are posted to
	Admin   string // host:port
	NATS    string // host:port of the readers' port of the embedded server; "" when it has none

	t      testing.TB
	read   int64 // how far its log was awaited
	probed bool  // it was asked for /readyz since its start
}

// readyPath is where a bridge tells whether it is ready.
const readyPath = "/readyz"

// StartBridge runs `bridge run` with the environment and waits until it listens. Ports are free ones and the store is the
// test's own, unless the environment says otherwise.
func StartBridge(t testing.TB, env ...string) *Bridge {
	t.Helper()
	return StartCommand(t, []string{Program(t, BridgePackage), "run"}, env...)
}

// StartCommand runs a command that becomes a bridge, and waits until that listens.
func StartCommand(t testing.TB, argv []string, env ...string) *Bridge {
	t.Helper()
	p, err := NewProcess(t.TempDir(), "bridge", argv[0], argv[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bridge{Process: p, t: t}
	p.SetEnv(append([]string{
		"BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0", "BRIDGE_NATS_LISTEN=127.0.0.1:0",
		"BRIDGE_LOG_FORMAT=json", "BRIDGE_STORE_DIR=" + filepath.Join(t.TempDir(), "store"),
	}, env...)...)
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Logf("the bridge logged:\n%s", p.Log)
		}
	})
	b.Restart()
	return b
}

// Restart starts a bridge that has ended, with its environment, and waits until it listens.
func (b *Bridge) Restart() {
	b.t.Helper()
	if err := b.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.Webhook, b.Admin, b.NATS = "", "", ""
	var embedded bool
	b.await("listening", func(line map[string]any) bool {
		addr, _ := line["addr"].(string)
		switch {
		case line["msg"] == "listening" && line["for"] == "webhooks":
			b.Webhook = "http://" + addr + webhookPath
		case line["msg"] == "listening" && line["for"] == "admin":
			b.Admin = addr
		case line["msg"] == "listening" && line["for"] == "nats":
			b.NATS = addr
		}
		embedded = b.setting("BRIDGE_NATS_URL") == "" && b.setting("BRIDGE_NATS_LISTEN") != ""
		return b.Webhook != "" && b.Admin != "" && (b.NATS != "" || !embedded)
	})
}

// setting is the value of a variable in the environment of the bridge; the last one counts.
func (b *Bridge) setting(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, entry := range slices.Backward(b.env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// await waits for a line of the log behind the one that was awaited before.
func (b *Bridge) await(what string, matches func(line map[string]any) bool) {
	b.t.Helper()
	end, err := b.awaitFrom(b.t.Context(), b.read, func(text string) bool {
		line := ParseLine(text)
		return line != nil && matches(line)
	})
	b.read = end
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// AwaitLog waits for a message in the log, behind the one that was awaited before, and returns its line.
func (b *Bridge) AwaitLog(message string) (found map[string]any) {
	b.t.Helper()
	b.await(strconv.Quote(message), func(line map[string]any) bool { found = line; return line["msg"] == message })
	return found
}

// StopWell ends the bridge as an operator would; anything but exit 0 fails the test. A bridge that was asked for /readyz
// takes deliveries until it is asked again, by what is taken for a load balancer: so it is asked.
func (b *Bridge) StopWell() {
	b.t.Helper()
	var asking sync.WaitGroup
	if b.probed {
		asking.Go(func() {
			_ = Until(b.t.Context(), time.Minute, func(ctx context.Context) error { // whether it stops is for Terminate to say
				if status, _, err := b.get(ctx, readyPath); err == nil && status == http.StatusOK {
					return errors.New("the bridge does not stop yet")
				}
				return nil
			})
		})
	}
	err := b.Terminate()
	asking.Wait()
	b.probed = false
	if err != nil {
		b.t.Errorf("the bridge did not stop well: %v", err)
	}
}

// An Answer is what a delivery was answered.
type Answer struct {
	Status     int // 0 when there was none
	RetryAfter string
	Body       string
}

// Post posts a delivery. Headers are names, each before its value.
func (b *Bridge) Post(body []byte, headers ...string) (Answer, error) {
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.Webhook, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for header := range slices.Chunk(headers, 2) {
		request.Header.Set(header[0], header[1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header.Get("Retry-After"), string(text)}, err
}

// Deliver is [Bridge.Post] that must be answered; it returns the status.
func (b *Bridge) Deliver(body []byte, headers ...string) int {
	b.t.Helper()
	answer, err := b.Post(body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.Status
}

// Get asks the admin listener and returns the answer's status and body.
func (b *Bridge) Get(path string) (status int, body string) {
	b.t.Helper()
	b.probed = b.probed || path == readyPath
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	status, body, err := b.get(ctx, path)
	if err != nil {
		b.t.Fatal(err)
	}
	return status, body
}

func (b *Bridge) get(ctx context.Context, path string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.Admin+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// MustGet is [Bridge.Get] where the status is to be 200.
func (b *Bridge) MustGet(path string) string {
	b.t.Helper()
	status, body := b.Get(path)
	if status != http.StatusOK {
		b.t.Errorf("%s: status %d: %s", path, status, body)
	}
	return body
}

// Readiness is what /readyz answers: its status, and why where it is not 200.
func (b *Bridge) Readiness() (status int, why string) {
	b.t.Helper()
	status, body := b.Get(readyPath)
	var problem struct{ Detail string }
	_ = json.Unmarshal([]byte(body), &problem) // it is none where the bridge is ready
	return status, problem.Detail
}

// AwaitReadiness waits until /readyz has a status, and returns why.
func (b *Bridge) AwaitReadiness(want int) (why string) {
	b.t.Helper()
	Eventually(b.t, fmt.Sprint("/readyz answers ", want), func() bool {
		var status int
		status, why = b.Readiness()
		return status == want
	})
	return why
}

// WebhookAddr is the host:port that takes deliveries.
func (b *Bridge) WebhookAddr() string {
	return strings.TrimSuffix(strings.TrimPrefix(b.Webhook, "http://"), webhookPath)
}

// Metric reads a metric by its name, with its labels as /metrics has them.
func (b *Bridge) Metric(name string) float64 {
	b.t.Helper()
	for line := range strings.Lines(b.MustGet("/metrics")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return v
		}
	}
	b.t.Fatalf("there is no metric %s", name)
	return 0
}

// Env has a command find this bridge: its embedded NATS server, and its admin listener.
func (b *Bridge) Env() []string {
	return []string{"BRIDGE_NATS_LISTEN=" + b.NATS, "BRIDGE_ADMIN_LISTEN=" + b.Admin}
}

// Run runs another command of the program to its end and returns what it prints and its exit code.
func Run(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), Program(t, BridgePackage), args...)
	command.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// Repository is the path of a file of this repository, given by its path from the root.
func Repository(path string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", path)
}
