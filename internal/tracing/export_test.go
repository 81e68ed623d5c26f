package tracing_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/tracing"
)

// export starts an export from environment variables, and returns its log.
func export(t *testing.T, environment map[string]string) (*tracing.Export, *bytes.Buffer) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
	var logs bytes.Buffer
	e := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.NewTextHandler(&logs, nil)))
	t.Cleanup(e.Close)
	return e, &logs
}

func TestTracesAreOffWithoutAnEndpoint(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing":     {"OTEL_SERVICE_NAME": "bridge"},
		"empty":       {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		"switched":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"},
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			e, logs := export(t, environment)
			if e.To() != "" || e.Tracer() != (tracing.Tracer{}) || logs.Len() > 0 {
				t.Errorf("exported to %q, log: %s", e.To(), logs)
			}
		})
	}
}

// Platforms set OTEL_… variables everywhere: an invalid one is logged once, and turns off traces only.
func TestInvalidSettingTurnsTracesOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		setting     string // the invalid variable
		environment map[string]string
	}{
		"no scheme":    {"ENDPOINT", map[string]string{"ENDPOINT": "s3cret:4318"}},
		"no host":      {"TRACES_ENDPOINT", map[string]string{"TRACES_ENDPOINT": "http://", "ENDPOINT": "http://127.0.0.1:4318"}},
		"password":     {"ENDPOINT", map[string]string{"ENDPOINT": "http://user:s3cret@%zz"}},
		"socket":       {"ENDPOINT", map[string]string{"ENDPOINT": "unix:///s3cret"}},
		"grpc":         {"PROTOCOL", map[string]string{"ENDPOINT": "http://127.0.0.1:4317", "PROTOCOL": "grpc"}},
		"json":         {"TRACES_PROTOCOL", map[string]string{"ENDPOINT": "http://127.0.0.1:4317", "TRACES_PROTOCOL": "http/json", "PROTOCOL": "http/protobuf"}},
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
			e, logs := export(t, environment)
			text := logs.String()
			if e.To() != "" || strings.Count(text, "\n") != 1 || strings.Contains(text, "s3cret") ||
				!strings.Contains(text, "traces are off") || !strings.Contains(text, "setting=OTEL_EXPORTER_OTLP_"+tt.setting+" ") || !strings.Contains(text, " do=") {
				t.Errorf("exported to %q, log: %s", e.To(), text)
			}
		})
	}
}

// An invalid optional setting does not turn off traces.
func TestInvalidOptionalSettingIsIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TIMEOUT":            "10s",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT":     "0",
		"OTEL_EXPORTER_OTLP_COMPRESSION":        "zstd",
		"OTEL_EXPORTER_OTLP_HEADERS":            "s3cret",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":     "a=1,b=s3cret%0A",
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        "",         // empty means unset
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere", // unused by an http endpoint
	} {
		t.Run(name, func(t *testing.T) {
			e, logs := export(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value})
			text := logs.String()
			logged := strings.Contains(text, "setting="+name+" ") && strings.Count(text, "\n") == 1
			if e.To() == "" || logged == strings.Contains(name, "CERTIFICATE") || strings.Contains(text, "s3cret") {
				t.Errorf("exported to %q, log: %s", e.To(), text)
			}
		})
	}
}

// The endpoint may contain a password, and the headers do.
func TestCollectorCredentialsAreNotLogged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nothing listens there
	e, logs := export(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@" + l.Addr().String() + "/?token=s3cret",
		"OTEL_EXPORTER_OTLP_HEADERS":  "s3cret,authorization=%zzs3cret",
	})
	if e.To() != "http://"+l.Addr().String() {
		t.Errorf("To is %s", e.To())
	}
	_, span := e.Tracer().Root(t.Context(), "poll")
	span.End()
	e.Close()
	if text := logs.String(); strings.Contains(text, "s3cret") || strings.Count(text, "OTEL_EXPORTER_OTLP_HEADERS") != 2 || !strings.Contains(text, "refused") {
		t.Errorf("log: %s", text)
	}
}
