//go:build e2e

package identity

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
)

// A replicated bucket refuses a conflicting change with another error code.
func TestLongOneOfTwoClaimsHoldsOnACluster(t *testing.T) {
	js := brokertest.ConnectToCluster(t)
	checkClaims(t, brokertest.CreateReplicated(t, js, jetstream.KeyValueConfig{Bucket: "mkio_bridge"}))
}
