package tracing_test

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"

	"mkio-bridge/internal/tracing"
)

// begin exports as an environment says, and returns what is logged of it.
func begin(t *testing.T, environment map[string]string) (*tracing.Export, *bytes.Buffer, error) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
	var said bytes.Buffer
	e, err := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.NewTextHandler(&said, nil)))
	if err == nil {
		t.Cleanup(e.Close)
	}
	return e, &said, err
}

func TestTracesAreOffUnlessACollectorIsNamed(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing":     {"OTEL_SERVICE_NAME": "bridge"},
		"empty":       {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		"switched":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"},
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, err := begin(t, environment)
			if err != nil || e.To() != "" || e.Tracer() != (tracing.Tracer{}) {
				t.Errorf("exported to %q, %v", e.To(), err)
			}
		})
	}
}

func TestACollectorThatCannotBeMeantIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		environment map[string]string
		want        string
	}{
		"no scheme": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"no host":   {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		"password":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@%zz"}, "http or https address"},
		"grpc":      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "4318"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := begin(t, tt.environment)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, want a word of %s", err, tt.want)
			}
		})
	}
}

// The address of a collector may hold a password, and its headers do.
func TestCredentialsOfTheCollectorAreNotTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there
	e, said, err := begin(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@" + l.Addr().String() + "/?token=s3cret",
		"OTEL_EXPORTER_OTLP_HEADERS":  "s3cret,authorization=%zzs3cret",
	})
	if err != nil {
		t.Fatal(err)
	}
	if e.To() != "http://"+l.Addr().String() {
		t.Errorf("it is said to go to %s", e.To())
	}
	_, span := e.Tracer().Root(t.Context(), "poll")
	span.End()
	e.Close()
	if text := said.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "parse headers") || !strings.Contains(text, "refused") {
		t.Errorf("said: %s", text)
	}
}
