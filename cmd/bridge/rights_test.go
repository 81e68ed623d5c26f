package main

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
)

// asUser has the commands come to a server as a user of it.
func asUser(t *testing.T, url, user string) {
	t.Helper()
	t.Setenv("BRIDGE_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_ADMIN_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_MKIO_URL", "http://127.0.0.1:1")
	t.Setenv("BRIDGE_NATS_URL", url)
	t.Setenv("BRIDGE_NATS_USER", user)
	t.Setenv("BRIDGE_NATS_PASSWORD", "REDACT-ME")
}

// guardedServer has a bridge's account with a user for everything and one whose rights are given, and an account of
// readers who get the parts of JetStream's API that a bridge does not need to write.
func guardedServer(t *testing.T, allowed string) string {
	t.Helper()
	return brokertest.StartNATS(t, `accounts {
  MKIO: {
    jetstream: enabled
    users: [{user: all, password: "REDACT-ME"}, {user: some, password: "REDACT-ME", permissions: {publish: {allow: [`+allowed+`]}}}]
    exports: [{service: "$JS.API.INFO"}, {service: "$JS.API.STREAM.INFO.MKIO_EVENTS"}]
  }
  READERS: {
    users: [{user: reader, password: "REDACT-ME"}]
    imports: [{service: {account: MKIO, subject: "$JS.API.INFO"}}, {service: {account: MKIO, subject: "$JS.API.STREAM.INFO.MKIO_EVENTS"}}]
  }
}`)
}

// A wrong password is no NATS that cannot be reached: to start again does not help.
func TestAWrongPasswordIsRefused(t *testing.T) {
	url := guardedServer(t, "")
	asUser(t, url, "stranger")
	for _, command := range []string{"run", "events", "state", "verify"} {
		out, errs, code := say(t, command)
		if code != exitFailed || strings.Contains(out+errs, "cannot be reached") || !strings.Contains(errs, "refuses the connection") || !strings.Contains(errs, "BRIDGE_NATS_") {
			t.Errorf("%s: exit %d: %s%s", command, code, out, errs)
		}
	}
	wantSaid(t, exitFailed, []string{"FAILED   NATS: NATS at " + url + " refuses the connection", "_PASSWORD"}, "doctor")
}

// What a user may not do is said as such, and never that streams are to be changed.
func TestAMissingRightIsNoFaultOfTheStreams(t *testing.T) {
	const mine = `"$JS.API.INFO", "$JS.API.STREAM.INFO.MKIO_EVENTS"`
	tests := []struct {
		name, user string
		made       bool // the streams
		want       string
	}{
		{"a reader, before there are streams", "reader", false, "does not import the requested part of the JetStream API"},
		{"a reader", "reader", true, "does not import the requested part of the JetStream API"},
		{"who may only look at the log, before there are streams", "some", false, `do not allow the request: nats: permissions violation: Permissions Violation for Publish to "$JS.API.STREAM.CREATE.MKIO_EVENTS"`},
		{"who may only look at the log", "some", true, `do not allow the request: nats: permissions violation: Permissions Violation for Publish to "$JS.API.STREAM.INFO.KV_mkio_state"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := guardedServer(t, mine)
			if tt.made {
				makeStreams(t, url, nats.UserInfo("all", "REDACT-ME"))
			}
			asUser(t, url, tt.user)
			wantSaid(t, exitFailed, []string{tt.want, rightsFile}, "run")
			out, _, code := say(t, "doctor")
			if code != exitFailed || strings.Contains(out, "change the stream") || strings.Contains(out, "no answer in time") {
				t.Errorf("doctor: exit %d: %s", code, out)
			}
			if tt.made && (!strings.Contains(out, "ok       stream MKIO_EVENTS") || !strings.Contains(out, "FAILED   stream KV_mkio_lease: ") || !strings.Contains(out, rightsFile)) {
				t.Errorf("doctor: %s", out)
			}
		})
	}
}

// The commands that read name the right that they need.
func TestACommandNamesTheRightThatItNeeds(t *testing.T) {
	url := guardedServer(t, `"$JS.API.INFO"`)
	makeStreams(t, url, nats.UserInfo("all", "REDACT-ME"))
	asUser(t, url, "some")
	for command, right := range map[string]string{
		"events": "MKIO_EVENTS", "state": "KV_mkio_state", "verify": "MKIO_EVENTS", "audit": "MKIO_", "unapplied list": "MKIO_UNAPPLIED",
		"wait job p t j --for Finished": "KV_mkio_state",
	} {
		t.Run(command, func(t *testing.T) {
			wantSaid(t, exitFailed, []string{"do not allow the request", "Permissions Violation", right, rightsFile}, strings.Fields(command)...)
		})
	}
}
