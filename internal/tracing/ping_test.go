package tracing

import (
	"net/http"
	"testing"
	"time"
)

// All exports share a connection over HTTP/2: one that goes silent must be given up, or spans are lost for minutes.
func TestTheConnectionToTheCollectorIsProbed(t *testing.T) {
	transport, ok := newClient(&settings{}, "test").http.Transport.(*http.Transport)
	if !ok || transport.HTTP2 == nil {
		t.Fatal("nothing is said of HTTP/2")
	}
	h2 := transport.HTTP2
	if noticed := h2.SendPingTimeout + h2.PingTimeout; h2.SendPingTimeout <= 0 || h2.PingTimeout <= 0 || h2.WriteByteTimeout <= 0 || noticed > 30*time.Second {
		t.Errorf("a silent connection is noticed after %s: %+v", noticed, h2)
	}
}
