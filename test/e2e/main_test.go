//go:build e2e

// Package e2e tests mkio-bridge from outside: as processes, against NATS servers, clusters, browsers and the runtimes of
// the examples. Its tests take the whole machine and run one after another: go test -tags e2e -p 1 ./test/e2e
package e2e

import (
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }
