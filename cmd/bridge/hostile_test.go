package main

import (
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
)

// Short names of helpers that nearly every hostile test calls.
var (
	jobDelivery = bridgetest.JobDelivery
	sendRaw     = bridgetest.SendRaw
	statusOf    = bridgetest.StatusOf
)

// rawDelivery is [bridgetest.RawDelivery] with the secret of a bridge under test.
func rawDelivery(headers string, body []byte) string {
	return bridgetest.RawDelivery(demoSecret, headers, body)
}

// checkDelivers checks that a delivery on a new connection is stored.
func checkDelivers(t *testing.T, addr string, body []byte) {
	t.Helper()
	bridgetest.CheckDelivers(t, addr, demoSecret, body)
}

// jobNames returns the names of the jobs in the log.
func jobNames(t *testing.T, b *bridge) (names []string) {
	t.Helper()
	for e, err := range b.events.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Event.Data.Name)
	}
	return names
}
