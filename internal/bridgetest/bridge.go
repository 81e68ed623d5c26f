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

// A Bridge is a running `mkio-bridge run` on free ports. It ends with the test.
type Bridge struct {
	*Process
	Webhook string // URL that deliveries are posted to
	Admin   string // host:port
	NATS    string // host:port of the embedded server; "" without one

	t         testing.TB
	logOffset int64 // end of the last awaited log line
	probed    bool  // /readyz was requested since the start
}

// readyPath is the path of the readiness probe.
const readyPath = "/readyz"

// StartBridge runs `mkio-bridge run` with an environment and waits until it listens. By default its ports are free ones and its
// store is a directory of the test.
func StartBridge(t testing.TB, env ...string) *Bridge {
	t.Helper()
	return StartCommand(t, []string{Program(t, BridgePackage), "run"}, env...)
}

// StartCommand runs a command that executes a bridge, and waits until that listens.
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
	// The bridge outlives the test's context, which ends before the test's cleanups: these still need it.
	if err := b.Start(context.WithoutCancel(b.t.Context())); err != nil {
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
		embedded = b.variable("BRIDGE_NATS_URL") == "" && b.variable("BRIDGE_NATS_LISTEN") != ""
		return b.Webhook != "" && b.Admin != "" && (b.NATS != "" || !embedded)
	})
}

// variable returns the value of a variable in the bridge's environment; the last one counts.
func (b *Bridge) variable(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pair := range slices.Backward(b.env) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// await waits for a log line after the last awaited one.
func (b *Bridge) await(what string, matches func(line map[string]any) bool) {
	b.t.Helper()
	end, err := b.awaitFrom(b.t.Context(), b.logOffset, func(text string) bool {
		line := ParseLine(text)
		return line != nil && matches(line)
	})
	b.logOffset = end
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// AwaitLog waits for a log message after the last awaited one, and returns its line.
func (b *Bridge) AwaitLog(message string) (found map[string]any) {
	b.t.Helper()
	b.await(strconv.Quote(message), func(line map[string]any) bool { found = line; return line["msg"] == message })
	return found
}

// StopGracefully terminates the bridge as an operator would; any exit code but 0 fails the test. A bridge whose /readyz was
// requested accepts deliveries until it is requested again, because it assumes a load balancer: so it is requested.
func (b *Bridge) StopGracefully() {
	b.t.Helper()
	var polling sync.WaitGroup
	if b.probed {
		polling.Go(func() {
			_ = Until(b.t.Context(), time.Minute, func(ctx context.Context) error { // Terminate reports whether the bridge stops
				if status, _, err := b.get(ctx, readyPath); err == nil && status == http.StatusOK {
					return errors.New("the bridge is still ready")
				}
				return nil
			})
		})
	}
	err := b.Terminate()
	polling.Wait()
	b.probed = false
	if err != nil {
		b.t.Errorf("the bridge did not stop gracefully: %v", err)
	}
}

// A Response is the response to a delivery.
type Response struct {
	Status     int // 0: no response
	RetryAfter string
	Body       string
}

// Post posts a delivery. headers are names, each followed by its value.
func (b *Bridge) Post(body []byte, headers ...string) (Response, error) {
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.Webhook, bytes.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for header := range slices.Chunk(headers, 2) {
		request.Header.Set(header[0], header[1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Response{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Response{response.StatusCode, response.Header.Get("Retry-After"), string(text)}, err
}

// Deliver is [Bridge.Post] that fails the test without a response; it returns the status.
func (b *Bridge) Deliver(body []byte, headers ...string) int {
	b.t.Helper()
	response, err := b.Post(body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.Status
}

// Get requests a path of the admin listener.
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

// MustGet is [Bridge.Get] with status 200.
func (b *Bridge) MustGet(path string) string {
	b.t.Helper()
	status, body := b.Get(path)
	if status != http.StatusOK {
		b.t.Errorf("%s: status %d: %s", path, status, body)
	}
	return body
}

// Readiness returns the status of /readyz, and the reason if it is not 200.
func (b *Bridge) Readiness() (status int, why string) {
	b.t.Helper()
	status, body := b.Get(readyPath)
	var problem struct{ Detail string }
	_ = json.Unmarshal([]byte(body), &problem) // not JSON if the bridge is ready
	return status, problem.Detail
}

// AwaitReadiness waits until /readyz has a status, and returns the reason.
func (b *Bridge) AwaitReadiness(want int) (why string) {
	b.t.Helper()
	Eventually(b.t, fmt.Sprint("/readyz responds ", want), func() bool {
		var status int
		status, why = b.Readiness()
		return status == want
	})
	return why
}

// WebhookAddr returns the host:port of the webhook listener.
func (b *Bridge) WebhookAddr() string {
	return strings.TrimSuffix(strings.TrimPrefix(b.Webhook, "http://"), webhookPath)
}

// Metric returns the value of a metric by its name and labels, as in /metrics.
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
	b.t.Fatalf("no metric %s", name)
	return 0
}

// Env returns the environment with which a command finds this bridge's NATS server and admin listener.
func (b *Bridge) Env() []string {
	return []string{"BRIDGE_NATS_LISTEN=" + b.NATS, "BRIDGE_ADMIN_LISTEN=" + b.Admin}
}

// Run runs a command of the program and returns its output and exit code.
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

// RepositoryPath returns the path of a file of this repository, given relative to its root.
func RepositoryPath(path string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", path)
}
