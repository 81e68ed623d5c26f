package tracing

import (
	"net/http"
	"testing"
	"time"
)

// All exports share a connection over HTTP/2. If it goes dead, pings must detect that, or spans are lost for minutes.
func TestCollectorConnectionIsPinged(t *testing.T) {
	transport, ok := newClient(&settings{}, "test").http.Transport.(*http.Transport)
	if !ok || transport.HTTP2 == nil {
		t.Fatal("no HTTP/2 settings")
	}
	h2 := transport.HTTP2
	if detected := h2.SendPingTimeout + h2.PingTimeout; h2.SendPingTimeout <= 0 || h2.PingTimeout <= 0 || h2.WriteByteTimeout <= 0 || detected > 30*time.Second {
		t.Errorf("a dead connection is detected after %s: %+v", detected, h2)
	}
}
