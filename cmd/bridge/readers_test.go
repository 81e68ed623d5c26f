package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The readers' port with a token: the commands bring it, who does not is refused, and another one in the file is in force
// without a restart.
func TestReadersBringTheirToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2")
	p := startBridge(t, "BRIDGE_STORE_DIR="+t.TempDir(), "BRIDGE_NATS_READER_TOKEN_FILE="+file)
	if status := p.deliver(fixture(t, "job-finished.finished.json")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	listen := "BRIDGE_NATS_LISTEN=" + p.nats
	brings := []string{listen, "BRIDGE_NATS_READER_TOKEN=hunter2", "BRIDGE_ADMIN_LISTEN=" + p.admin}
	if log := readLog(t, brings); len(log) != 1 {
		t.Errorf("the log holds %v", log)
	}
	awaitState(t, brings)
	for _, command := range []string{"wait job aurora-vod ladder-hd ep-0417 --for Finished", "replay again --live", "verify", "audit", "unapplied list", "unapplied retry --dry-run"} {
		stdout, stderr, code := runCommand(t, brings, strings.Fields(command)...)
		if code != exitOK && command != "audit" || code == exitUnreachable || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%s: exit %d: %s%s", command, code, stdout, stderr)
		}
		if _, stderr, code := runCommand(t, []string{listen}, strings.Fields(command)...); code != exitUnreachable {
			t.Errorf("%s without the token: exit %d: %s", command, code, stderr)
		}
	}
	if stdout, _, _ := runCommand(t, brings, "doctor"); !strings.Contains(stdout, "ok       stream MKIO_EVENTS") {
		t.Errorf("doctor: %s", stdout)
	}
	if stdout, _, code := runCommand(t, []string{listen}, "doctor"); code != exitFailed || !strings.Contains(stdout, "→ set BRIDGE_NATS_READER_TOKEN") {
		t.Errorf("doctor without the token: exit %d: %s", code, stdout)
	}

	closed := make(chan struct{})
	reader, err := nats.Connect("nats://"+p.nats, nats.Token("hunter2"), nats.ReconnectWait(time.Millisecond), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	write("hunter3")
	<-closed
	if log := readLog(t, []string{listen, "BRIDGE_NATS_READER_TOKEN=hunter3"}); len(log) != 1 {
		t.Errorf("with the new token the log holds %v", log)
	}
	p.stop()
}

// A port that others reach is worth a warning as long as nothing guards it.
func TestAPortWithoutATokenIsWarnedOf(t *testing.T) {
	const warning = "readers need no token"
	for _, token := range []string{"", "BRIDGE_NATS_READER_TOKEN=hunter2"} {
		env := []string{"BRIDGE_STORE_DIR=" + t.TempDir(), "BRIDGE_NATS_LISTEN=0.0.0.0:0"}
		if token != "" {
			env = append(env, token)
		}
		p := startBridge(t, env...)
		p.stop()
		if warned := strings.Contains(strings.Join(p.said, "\n"), warning); warned != (token == "") {
			t.Errorf("with %q it warns: %v", token, warned)
		}
	}
}
