package tracing_test

import (
	"bytes"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/tracing"
)

// begin creates an exporter for an environment, and returns it with its log.
func begin(t *testing.T, environment map[string]string) (*tracing.Export, *bytes.Buffer) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
	var said bytes.Buffer
	e := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.NewTextHandler(&said, nil)))
	t.Cleanup(e.Close)
	return e, &said
}

func TestTracesAreOffUnlessACollectorIsNamed(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing":     {"OTEL_SERVICE_NAME": "bridge"},
		"empty":       {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		"switched":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"},
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			e, said := begin(t, environment)
			if e.Endpoint() != "" || e.Tracer() != (tracing.Tracer{}) || said.Len() > 0 {
				t.Errorf("exported to %q, logged: %s", e.Endpoint(), said)
			}
		})
	}
}

// Platforms set OTEL_… variables for all workloads: an unusable one is logged once and only turns traces off.
func TestUnusableSettingTurnsTracesOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		wrong       string // the variable
		environment map[string]string
	}{
		"no scheme":    {"ENDPOINT", map[string]string{"ENDPOINT": "s3cret:4318"}},
		"no host":      {"TRACES_ENDPOINT", map[string]string{"TRACES_ENDPOINT": "http://", "ENDPOINT": "http://127.0.0.1:4318"}},
		"password":     {"ENDPOINT", map[string]string{"ENDPOINT": "http://user:s3cret@%zz"}},
		"socket":       {"ENDPOINT", map[string]string{"ENDPOINT": "unix:///s3cret"}},
		"thrift":       {"PROTOCOL", map[string]string{"ENDPOINT": "http://127.0.0.1:4317", "PROTOCOL": "thrift"}},
		"xml":          {"TRACES_PROTOCOL", map[string]string{"ENDPOINT": "http://127.0.0.1:4317", "TRACES_PROTOCOL": "http/xml", "PROTOCOL": "http/protobuf"}},
		"no file":      {"CERTIFICATE", map[string]string{"ENDPOINT": "https://127.0.0.1:4318", "CERTIFICATE": file + ".away"}},
		"no authority": {"TRACES_CERTIFICATE", map[string]string{"ENDPOINT": "https://127.0.0.1:4318", "TRACES_CERTIFICATE": file}},
		"no key":       {"CLIENT_CERTIFICATE", map[string]string{"ENDPOINT": "https://127.0.0.1:4318", "CLIENT_CERTIFICATE": file}},
		"no client":    {"CLIENT_CERTIFICATE", map[string]string{"ENDPOINT": "https://127.0.0.1:4318", "CLIENT_CERTIFICATE": file, "CLIENT_KEY": file}},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{}
			for name, value := range tt.environment {
				environment["OTEL_EXPORTER_OTLP_"+name] = value
			}
			e, said := begin(t, environment)
			text := said.String()
			if e.Endpoint() != "" || strings.Count(text, "\n") != 1 || strings.Contains(text, "s3cret") ||
				!strings.Contains(text, "traces are off") || !strings.Contains(text, "setting=OTEL_EXPORTER_OTLP_"+tt.wrong+" ") || !strings.Contains(text, " do=") {
				t.Errorf("exported to %q, logged: %s", e.Endpoint(), text)
			}
		})
	}
}

// An unusable setting that only affects how spans are exported is ignored: traces stay on.
func TestASettingThatCannotBeUnderstoodIsLeftOut(t *testing.T) {
	for name, test := range map[string]struct{ value, says string }{
		"OTEL_EXPORTER_OTLP_TIMEOUT":     {"10s", "duration"},
		"OTEL_EXPORTER_OTLP_COMPRESSION": {"zstd", "COMPRESSION"},
		"OTEL_EXPORTER_OTLP_HEADERS":     {"s3cret", "headers"},
		"OTEL_EXPORTER_OTLP_CERTIFICATE": {"", ""}, // empty counts as unset
	} {
		t.Run(name, func(t *testing.T) {
			e, said := begin(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: test.value})
			text := said.String()
			lines := 1
			if test.says == "" {
				lines = 0
			}
			if e.Endpoint() == "" || strings.Count(text, "\n") != lines || !strings.Contains(text, test.says) || strings.Contains(text, "s3cret") {
				t.Errorf("exported to %q, logged: %s", e.Endpoint(), text)
			}
		})
	}
}

// A CA certificate for the collector contradicts an endpoint without TLS.
func TestTracesAreOffForACertificateWithoutTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "authority.pem")
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	e, said := begin(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_CERTIFICATE": file})
	if text := said.String(); e.Endpoint() != "" || !strings.Contains(text, "traces are off") || !strings.Contains(text, "TLS") {
		t.Errorf("exported to %q, logged: %s", e.Endpoint(), text)
	}
}

// A collector's URL may contain a password, and its headers do.
func TestCredentialsOfTheCollectorAreNotLogged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nothing listens there
	e, said := begin(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@" + l.Addr().String() + "/?token=s3cret",
		"OTEL_EXPORTER_OTLP_HEADERS":  "s3cret,authorization=%zzs3cret",
	})
	if e.Endpoint() != "http://"+l.Addr().String() {
		t.Errorf("the endpoint is %s", e.Endpoint())
	}
	_, span := e.Tracer().Root(t.Context(), "poll")
	span.End()
	e.Close()
	if text := said.String(); strings.Contains(text, "s3cret") || strings.Count(text, "trace setting ignored") != 2 || !strings.Contains(text, "refused") {
		t.Errorf("logged: %s", text)
	}
}
