package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/mkio"
)

// A publicAddress is the server at https://bridge.example.com. Its first handler is a bridge that stores nothing.
type publicAddress struct {
	handler  atomic.Pointer[http.Handler]
	requests atomic.Int64
}

func (p *publicAddress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	(*p.handler.Load()).ServeHTTP(w, r)
}

// handle replaces the handler.
func (p *publicAddress) handle(h http.HandlerFunc) {
	handler := http.Handler(h)
	p.handler.Store(&handler)
}

// newPublicAddress starts a server that http.DefaultTransport reaches as bridge.example.com until the test ends. All hosts
// but this machine are unreachable meanwhile.
func newPublicAddress(t *testing.T) *publicAddress {
	t.Helper()
	p := &publicAddress{}
	p.handle((&bridge{ingest: ingest.New(ingest.Config{
		Decoder: mkio.Decoder{}, Secrets: func() []string { return strings.Split(os.Getenv("BRIDGE_WEBHOOK_SECRETS"), ",") },
		MaxBody: 1 << 10, Log: slog.New(slog.DiscardHandler),
	})}).publicRoutes().ServeHTTP)
	server := httptest.NewTLSServer(p)
	t.Cleanup(server.Close)
	before := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = before })
	transport := before.(*http.Transport).Clone()
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		switch {
		case err != nil:
			return nil, err
		case host == "bridge.example.com":
			addr = server.Listener.Addr().String()
		case host != "127.0.0.1" && host != "localhost":
			return nil, errors.New("no route to host")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	t.Cleanup(transport.CloseIdleConnections)
	http.DefaultTransport = transport
	return p
}

// The doctor sends a delivery as MK.IO would, and distinguishes a bridge that accepts it from anything else that may
// respond.
func TestDoctorSendsATestDelivery(t *testing.T) {
	refuse := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	tests := []struct {
		name  string
		spoil func(m *tinyMKIO)
		code  int
		want  []string
	}{
		{"a bridge", func(*tinyMKIO) {}, exitOK, []string{"ok       delivery to the webhook URL: an empty batch sent to https://bridge.example.com/webhooks/mkio was answered 400"}},
		{"a short secret", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_SECRETS", "s") }, exitOK, []string{"ok       delivery to the webhook URL", "400 Bad Request: the batch is empty"}},
		{"a slash", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_URL", "https://bridge.example.com/webhooks/mkio/") }, exitOK, []string{"ok       delivery to the webhook URL", "ok       webhook rule"}},
		{"another path", func(m *tinyMKIO) {
			m.t.Setenv("BRIDGE_WEBHOOK_URL", "https://bridge.example.com/prefix/webhooks/mkio")
		}, exitFailed, []string{"FAILED   delivery to the webhook URL", "404 Not Found", "→ correct the path of BRIDGE_WEBHOOK_URL"}},
		{"another secret", func(m *tinyMKIO) {
			m.t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME-else")
			m.public.handle(refuse(401))
		}, exitFailed, []string{"FAILED   delivery to the webhook URL", "401", "BRIDGE_WEBHOOK_SECRETS"}},
		{"a redirect", func(m *tinyMKIO) {
			m.public.handle(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
		}, exitFailed, []string{"FAILED   delivery to the webhook URL", "302", "the redirect's target"}},
		{"another server", func(m *tinyMKIO) { m.public.handle(refuse(200)) }, exitFailed, []string{"FAILED   delivery to the webhook URL", "200 OK", "responds at BRIDGE_WEBHOOK_URL"}},
		{"a proxy without its bridge", func(m *tinyMKIO) { m.public.handle(refuse(502)) }, exitFailed, []string{"FAILED   delivery to the webhook URL", "502", "proxy in front reaches it"}},
		{"a bridge that cannot store now", func(m *tinyMKIO) { m.public.handle(refuse(503)) }, exitOK, []string{"warning  delivery to the webhook URL", "503"}},
		{"a server that repeats the request", func(m *tinyMKIO) {
			m.public.handle(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"detail":"you sent `+r.Header.Get("X-Webhook-Secret")+`"}`)
			})
		}, exitFailed, []string{"FAILED   delivery to the webhook URL", "you sent [masked]"}},
		{"an unreachable host", func(m *tinyMKIO) { m.t.Setenv("BRIDGE_WEBHOOK_URL", "https://away.example.com") }, exitFailed, []string{"warning  delivery to the webhook URL", "cannot be reached from here"}},
		{"a self-signed certificate", func(*tinyMKIO) {
			http.DefaultTransport.(*http.Transport).TLSClientConfig = nil
		}, exitFailed, []string{"FAILED   delivery to the webhook URL", "certificate", "public authority"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newInstallation(t)
			wantOutput(t, exitOK, nil, "webhook", "register")
			tt.spoil(m)
			wantOutput(t, tt.code, tt.want, "doctor")
		})
	}
}

// Without a URL the doctor sends nothing; nor where the listener requires a client certificate, which the doctor does not
// have.
func TestDoctorSendsNoTestDeliveryWithoutURLOrClientCertificate(t *testing.T) {
	m := newInstallation(t)
	dir := t.TempDir()
	newAuthority(t, "clients").write(t, dir+"/ca.crt")
	writeCertificate(t, dir+"/tls.crt", dir+"/tls.key", 1)
	t.Setenv("BRIDGE_TLS_CERT", dir+"/tls.crt")
	t.Setenv("BRIDGE_TLS_KEY", dir+"/tls.key")
	t.Setenv("BRIDGE_TLS_CLIENT_CA", dir+"/ca.crt")
	wantOutput(t, exitFailed, []string{"ok       delivery to the webhook URL: skipped"}, "doctor")
	t.Setenv("BRIDGE_WEBHOOK_URL", "")
	if out, _, _ := runCommand(t, "doctor"); strings.Contains(out, "delivery to the webhook URL") {
		t.Errorf("it says %s", out)
	}
	if n := m.public.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Without a token the rule is not registered, whatever its URL.
func TestDoctorWarnsWithoutATokenToRegisterTheRule(t *testing.T) {
	newInstallation(t)
	_ = os.Unsetenv("BRIDGE_MKIO_TOKEN") // t.Setenv in newInstallation restores it
	out, _, code := runCommand(t, "doctor")
	if code != exitOK || !strings.Contains(out, "warning  webhook URL: without an API token the webhook rule is neither registered nor checked") || strings.Contains(out, "ok       webhook URL") {
		t.Errorf("exit %d: %s", code, out)
	}
}
