package main

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/doctor"
)

// privateMKIO starts an MK.IO with a certificate of a private authority, and returns its URL and a file with the authority's
// certificate.
func privateMKIO(t *testing.T) (url, authority string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"value": []}`)) // the client is still connected
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL, authority
}

func TestPrivateCAForMKIO(t *testing.T) {
	url, authority := privateMKIO(t)
	ask := func(c config) error {
		t.Helper()
		transport, err := c.mkioTransport()
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := ask(config{}); err == nil || !strings.Contains(err.Error(), "BRIDGE_MKIO_CA") || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("without it: %v", err)
	}
	if err := ask(config{MkioCA: authority}); err != nil {
		t.Errorf("with it: %v", err)
	}
}

func TestPrivateCAFileMustHoldCertificates(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "gone.pem")} {
		_, err := config{MkioCA: file, Resource: "redacted", Correlation: "full"}.client(nil)
		if err == nil || !strings.Contains(err.Error(), "BRIDGE_MKIO_CA") || !strings.Contains(err.Error(), filepath.Base(file)) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestDoctorNamesThePrivateCASetting(t *testing.T) {
	url, authority := privateMKIO(t)
	for file, want := range map[string]string{"": "BRIDGE_MKIO_CA", authority: "responds"} {
		installation := (&call{}).installation(config{MkioURL: url, MkioCA: file})
		installation.NATS.Connect = func(context.Context) (jetstream.JetStream, error) { return nil, errors.New("there is no NATS") }
		output := ""
		for f := range doctor.Examine(t.Context(), installation) {
			if f.Check == "MK.IO" {
				output += f.Found
			}
		}
		if !strings.Contains(output, want) {
			t.Errorf("with %q: %s", file, output)
		}
	}
}
