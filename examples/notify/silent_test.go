package main

import (
	"net/http"
	"testing"
	"time"
)

func TestTheConnectionToTheReceiverIsProbed(t *testing.T) {
	transport, ok := newReceiver(settings{timeout: 10 * time.Second}).client.Transport.(*http.Transport)
	if !ok || transport.HTTP2 == nil || transport.HTTP2.SendPingTimeout <= 0 || transport.HTTP2.PingTimeout <= 0 {
		t.Errorf("a connection that went silent takes messages until the peer's limit: %+v", transport)
	}
}
