//go:build e2e

// Package e2e tests mkio-bridge from outside: as processes, against NATS servers, clusters and the runtimes of the
// examples. Its tests use the whole machine and run one after another: go test -tags e2e -p 1 ./test/e2e
//
// Tests that mostly wait call [testing.T.Parallel]: they run side by side after all others.
package e2e

import (
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

// token is MK.IO's API token; secret authenticates deliveries to webhookPath.
const (
	webhookPath = "/webhooks/mkio"
	token       = "demo-token"
	secret      = "demo-secret"
	secretEnv   = "BRIDGE_WEBHOOK_SECRETS=" + secret
)

// Exit codes of commands.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitTimedOut    = 3
	exitUnreachable = 4
)
