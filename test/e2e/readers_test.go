//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/bridgetest"
)

// With BRIDGE_NATS_READER_TOKEN, commands present the token, and the server refuses a command without it. A changed token
// file takes effect without a restart.
func TestReadersNeedToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2")
	p := bridgetest.StartBridge(t, "BRIDGE_NATS_READER_TOKEN_FILE="+file)
	mustDeliver(t, p, bridgetest.Delivery(t, "job-finished.finished.json"))
	listen := "BRIDGE_NATS_LISTEN=" + p.NATS
	withToken := append(p.Env(), "BRIDGE_NATS_READER_TOKEN=hunter2")
	if log := readLog(t, withToken); len(log) != 1 {
		t.Errorf("the log has %v", log)
	}
	awaitStateOutput(t, withToken, "--state", "finished")
	for _, command := range []string{"wait job aurora-vod ladder-hd ep-0417 --for Finished", "replay replay --live", "verify", "audit", "unapplied list", "unapplied retry --dry-run"} {
		stdout, stderr, code := bridgetest.Run(t, withToken, strings.Fields(command)...)
		if code != exitOK && command != "audit" || code == exitUnreachable || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%s: exit %d: %s%s", command, code, stdout, stderr)
		}
		if _, stderr, code := bridgetest.Run(t, []string{listen}, strings.Fields(command)...); code != exitFailed || !strings.Contains(stderr, "BRIDGE_NATS_READER_TOKEN") {
			t.Errorf("%s without the token: exit %d: %s", command, code, stderr)
		}
	}
	if stdout, _, _ := bridgetest.Run(t, withToken, "doctor"); !strings.Contains(stdout, "ok       stream MKIO_EVENTS") {
		t.Errorf("doctor: %s", stdout)
	}
	if stdout, _, code := bridgetest.Run(t, []string{listen}, "doctor"); code != exitFailed || !strings.Contains(stdout, "→ set BRIDGE_NATS_READER_TOKEN") {
		t.Errorf("doctor without the token: exit %d: %s", code, stdout)
	}

	closed := make(chan struct{})
	reader, err := nats.Connect("nats://"+p.NATS, nats.Token("hunter2"), nats.ReconnectWait(time.Millisecond), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	write("hunter3")
	<-closed
	if log := readLog(t, []string{listen, "BRIDGE_NATS_READER_TOKEN=hunter3"}); len(log) != 1 {
		t.Errorf("with the new token the log has %v", log)
	}
	p.StopGracefully()
}

// The bridge logs a warning when its readers' port is not on loopback and needs no token.
func TestReaderPortWithoutTokenIsLogged(t *testing.T) {
	const warning = "readers need no token"
	for _, token := range []string{"", "BRIDGE_NATS_READER_TOKEN=hunter2"} {
		env := []string{"BRIDGE_NATS_LISTEN=0.0.0.0:0"}
		if token != "" {
			env = append(env, token)
		}
		p := bridgetest.StartBridge(t, env...)
		p.StopGracefully()
		if warned := strings.Contains(p.Log.String(), warning); warned != (token == "") {
			t.Errorf("with %q: warning logged: %v", token, warned)
		}
	}
}
