package main

import (
	"net/http"
	"testing"
	"time"
)

func TestReceiverConnectionIsPinged(t *testing.T) {
	transport, ok := newReceiver(settings{timeout: 10 * time.Second}).client.Transport.(*http.Transport)
	if !ok || transport.HTTP2 == nil || transport.HTTP2.SendPingTimeout <= 0 || transport.HTTP2.PingTimeout <= 0 {
		t.Errorf("a silent connection is not detected: %+v", transport)
	}
}
