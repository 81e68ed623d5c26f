package tracing

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mkio-bridge/internal/bridgetest"
)

// connect makes an exporter to a collector, with further variables of OTEL_EXPORTER_OTLP_….
func connect(t *testing.T, c *collector, environment map[string]string) *otlptrace.Exporter {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.endpoint)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", c.protocol)
	for name, value := range environment {
		t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
	}
	var log bridgetest.Buffer
	s, invalid := readSettings(slog.New(slog.NewTextHandler(&log, nil)))
	if s == nil || invalid != nil || log.String() != "" {
		t.Fatalf("%v: %v, %s", environment, invalid, log.String())
	}
	exporter, err := newExporter(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exporter.Shutdown(context.Background()) })
	return exporter
}

// export exports one span, named observe.
func export(t *testing.T, e *otlptrace.Exporter) error {
	t.Helper()
	return e.ExportSpans(t.Context(), tracetest.SpanStubs{{Name: "observe"}}.Snapshots())
}

func plainHTTP(t *testing.T) *collector { t.Helper(); return startHTTP(t, nil, nil) }

func plainGRPC(t *testing.T) *collector { t.Helper(); return startGRPC(t, nil, nil) }

func TestSpansAreExported(t *testing.T) {
	for name, test := range map[string]struct {
		start       func(*testing.T) *collector
		environment map[string]string
		headers     map[string]string
	}{
		"http": {
			plainHTTP,
			map[string]string{"HEADERS": " authorization = Basic%20YTpi , x-team=media%2Cvod,,x-key=a=b"},
			map[string]string{"Authorization": "Basic YTpi", "X-Team": "media,vod", "X-Key": "a=b"},
		},
		"compressed": {
			plainHTTP,
			map[string]string{"COMPRESSION": "none", "TRACES_COMPRESSION": "gzip"},
			map[string]string{"Content-Encoding": "gzip"},
		},
		"headers of traces": {
			plainHTTP,
			map[string]string{"HEADERS": "x-team=all", "TRACES_HEADERS": "x-key=traces,user-agent=me"},
			map[string]string{"X-Team": "", "X-Key": "traces", "User-Agent": "me"},
		},
		"grpc": {
			plainGRPC,
			map[string]string{"HEADERS": "authorization=Basic%20YTpi,x-key=a=b"},
			map[string]string{"Authorization": "Basic YTpi", "X-Key": "a=b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.start(t)
			if err := export(t, connect(t, c, test.environment)); err != nil {
				t.Fatal(err)
			}
			all := c.requests()
			if len(all) != 1 || len(all[0].spans) != 1 || all[0].spans[0] != "observe" {
				t.Fatalf("received %v", all)
			}
			for header, value := range test.headers {
				if is := all[0].headers[header]; is != value {
					t.Errorf("%s is %q, want %q", header, is, value)
				}
			}
		})
	}
}

func TestSpansArePostedToThePathOfTheEndpoint(t *testing.T) {
	c := startHTTP(t, nil, nil)
	for i, test := range []struct{ name, path, want string }{
		{"ENDPOINT", "", "/v1/traces"},
		{"ENDPOINT", "/", "/v1/traces"},
		{"ENDPOINT", "/otlp/", "/otlp/v1/traces"},
		{"TRACES_ENDPOINT", "", "/"},
		{"TRACES_ENDPOINT", "/in", "/in"},
	} {
		t.Run(test.name+test.path, func(t *testing.T) {
			err := export(t, connect(t, c, map[string]string{test.name: c.endpoint + test.path}))
			if all := c.requests(); err != nil || len(all) != i+1 || all[i].path != test.want {
				t.Errorf("%v: %v", err, all)
			}
		})
	}
}

func TestAnExportThatMaySucceedLaterIsRetried(t *testing.T) {
	for _, code := range []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			c := startHTTP(t, nil, func(number int, w http.ResponseWriter) {
				if number == 1 {
					w.WriteHeader(code)
				}
			})
			if err := export(t, connect(t, c, nil)); err != nil || len(c.requests()) != 2 {
				t.Errorf("%v, %d requests", err, len(c.requests()))
			}
		})
	}
	t.Run("grpc", func(t *testing.T) {
		c := startGRPC(t, nil, func(_ context.Context, number int) (*coltracepb.ExportTraceServiceResponse, error) {
			if number == 1 {
				return nil, status.Error(codes.Unavailable, "it starts")
			}
			return &coltracepb.ExportTraceServiceResponse{}, nil
		})
		if err := export(t, connect(t, c, nil)); err != nil || len(c.requests()) != 2 {
			t.Errorf("%v, %d requests", err, len(c.requests()))
		}
	})
}

func TestAnExportThatIsRefusedIsNotRetried(t *testing.T) {
	elsewhere := startHTTP(t, nil, nil)
	refuse := func(answer func(http.ResponseWriter)) func(*testing.T) *collector {
		return func(t *testing.T) *collector {
			t.Helper()
			return startHTTP(t, nil, func(_ int, w http.ResponseWriter) { answer(w) })
		}
	}
	for name, test := range map[string]struct {
		start func(*testing.T) *collector
		want  string // in the error
	}{
		"unauthorized": {refuse(func(w http.ResponseWriter) { http.Error(w, "no key", http.StatusUnauthorized) }), "no key"},
		"redirected": {refuse(func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.endpoint)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}), "307"},
		"asked to come much later": {refuse(func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}), "retry"},
		"grpc": {func(t *testing.T) *collector {
			t.Helper()
			return startGRPC(t, nil, func(context.Context, int) (*coltracepb.ExportTraceServiceResponse, error) {
				return nil, status.Error(codes.PermissionDenied, "no key")
			})
		}, "no key"},
		"grpc, a part": {func(t *testing.T) *collector {
			t.Helper()
			return startGRPC(t, nil, func(context.Context, int) (*coltracepb.ExportTraceServiceResponse, error) {
				return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"}}, nil
			})
		}, "too old"},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.start(t)
			err := export(t, connect(t, c, nil))
			if err == nil || !strings.Contains(err.Error(), test.want) || len(c.requests()) != 1 {
				t.Errorf("%v, %d requests", err, len(c.requests()))
			}
		})
	}
	if all := elsewhere.requests(); len(all) > 0 {
		t.Errorf("another host got requests: %v", all)
	}
}

// A collector that restarts refuses connections for a moment.
func TestARefusedConnectionIsRetried(t *testing.T) {
	away := bridgetest.FreeAddress(t)
	s := &settings{timeout: 10 * time.Second}
	client := newHTTPClient(s)
	_, err := client.Get("http://" + away)
	refused, ok := err.(interface{ Temporary() bool })
	if !ok || !refused.Temporary() || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the exporter would not retry after %v", err)
	}
}

// A collector that accepts exports and does not respond delays them until the export timeout.
func TestAnExportEndsWithItsTime(t *testing.T) {
	ends := make(chan struct{})
	for name, c := range map[string]*collector{
		"http": startHTTP(t, nil, func(int, http.ResponseWriter) { <-ends }),
		"grpc": startGRPC(t, nil, func(ctx context.Context, _ int) (*coltracepb.ExportTraceServiceResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if err := export(t, connect(t, c, map[string]string{"TIMEOUT": "3600000", "TRACES_TIMEOUT": "100"})); err == nil {
				t.Error("the export had success")
			}
			if len(c.requests()) == 0 {
				t.Error("the collector got no request")
			}
		})
	}
	close(ends)
}

// selfSigned writes a certificate for 127.0.0.1 and its key, and returns both and the files.
func selfSigned(t *testing.T) (certificateFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile = writePEM(t, "CERTIFICATE", signed), writePEM(t, "PRIVATE KEY", private)
	if pair, err = tls.LoadX509KeyPair(certificateFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return certificateFile, keyFile, pair
}

func writePEM(t *testing.T, sort string, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: sort, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheCollectorAndTheBridgeShowTheirCertificates(t *testing.T) {
	authority, _, server := selfSigned(t)
	certificate, key, client := selfSigned(t)
	clients := x509.NewCertPool()
	clients.AddCert(client.Leaf)
	for protocol, start := range map[string]func(*testing.T, *tls.Config) *collector{
		"http": func(t *testing.T, config *tls.Config) *collector { t.Helper(); return startHTTP(t, config, nil) },
		"grpc": func(t *testing.T, config *tls.Config) *collector { t.Helper(); return startGRPC(t, config, nil) },
	} {
		for name, test := range map[string]struct {
			environment map[string]string
			fails       bool
		}{
			"both":              {map[string]string{"CERTIFICATE": authority, "CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}, false},
			"of traces":         {map[string]string{"CERTIFICATE": certificate, "TRACES_CERTIFICATE": authority, "TRACES_CLIENT_CERTIFICATE": certificate, "TRACES_CLIENT_KEY": key}, false},
			"unknown authority": {map[string]string{"CERTIFICATE": certificate, "CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key, "TIMEOUT": "1000"}, true},
			"without a client":  {map[string]string{"CERTIFICATE": authority, "TIMEOUT": "1000"}, true},
		} {
			t.Run(protocol+" "+name, func(t *testing.T) {
				c := start(t, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12})
				err := export(t, connect(t, c, test.environment))
				all := c.requests()
				if test.fails && (err == nil || len(all) > 0) || !test.fails && (err != nil || len(all) != 1) {
					t.Errorf("%v, received %v", err, all)
				}
				if !test.fails && protocol == "http" && all[0].proto != "HTTP/2.0" {
					t.Errorf("by %s", all[0].proto)
				}
			})
		}
	}
}

// All exports share a connection over HTTP/2: one that goes silent must be given up, or spans are lost for minutes.
func TestTheConnectionToTheCollectorIsProbed(t *testing.T) {
	transport, ok := newHTTPClient(&settings{}).Transport.(retryableTransport)
	if !ok || transport.HTTP2 == nil {
		t.Fatal("there are no settings of HTTP/2")
	}
	h2 := transport.HTTP2
	if noticed := h2.SendPingTimeout + h2.PingTimeout; h2.SendPingTimeout <= 0 || h2.PingTimeout <= 0 || h2.WriteByteTimeout <= 0 || noticed > 30*time.Second {
		t.Errorf("a silent connection is noticed after %s: %+v", noticed, h2)
	}
}
