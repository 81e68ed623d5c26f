package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A receivedRequest is a request that a collector received.
type receivedRequest struct {
	*http.Request
	body []byte
}

// newCollector returns a collector that gives the responses in order, repeating the last, and a function that returns the
// requests received since its last call.
func newCollector(t *testing.T, responses ...http.HandlerFunc) (*httptest.Server, func() []receivedRequest) {
	t.Helper()
	received := make(chan receivedRequest, 100)
	var n int // requests arrive one at a time
	c := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- receivedRequest{r, body}
		if n < len(responses) {
			responses[n](w, r)
			n = min(n+1, len(responses)-1)
		}
	}))
	t.Cleanup(c.Close)
	return c, func() (all []receivedRequest) {
		for len(received) > 0 {
			all = append(all, <-received)
		}
		return all
	}
}

func respondWith(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
	}
}

var spans = []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "observe"}}}}}}

// newTestClient returns a client configured by variables OTEL_EXPORTER_OTLP_….
func newTestClient(t *testing.T, environment map[string]string) *client {
	t.Helper()
	for name, value := range environment {
		t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
	}
	var logs bytes.Buffer
	s, wrong := readSettings(slog.New(slog.NewTextHandler(&logs, nil)))
	if s == nil || wrong != nil || logs.Len() > 0 {
		t.Fatalf("%v: %v, %s", environment, wrong, logs.String())
	}
	c := newClient(s, "1.2.3")
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

func checkSpans(t *testing.T, body []byte) {
	t.Helper()
	var got tracepb.TracesData
	if err := proto.Unmarshal(body, &got); err != nil || !proto.Equal(&got, &tracepb.TracesData{ResourceSpans: spans}) {
		t.Errorf("%v: %v", err, &got)
	}
}

func TestExportSendsConfiguredHeaders(t *testing.T) {
	c, received := newCollector(t)
	c.Start()
	for name, tt := range map[string]struct {
		environment map[string]string
		want        map[string]string
	}{
		"general": {
			map[string]string{"HEADERS": " authorization = Basic%20YTpi , x-team=media%2Cvod,,x-key=a=b"},
			map[string]string{"Authorization": "Basic YTpi", "X-Team": "media,vod", "X-Key": "a=b", "User-Agent": "mkio-bridge/1.2.3"},
		},
		"traces": {
			map[string]string{"HEADERS": "x-team=all", "TRACES_HEADERS": "x-key=traces,user-agent=me,content-type=text/plain"},
			map[string]string{"X-Team": "", "X-Key": "traces", "User-Agent": "me"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.environment["ENDPOINT"] = c.URL
			if err := newTestClient(t, tt.environment).UploadTraces(t.Context(), spans); err != nil {
				t.Fatal(err)
			}
			all := received()
			if len(all) != 1 || all[0].Method != http.MethodPost || all[0].Header.Get("Content-Type") != "application/x-protobuf" || all[0].Header.Get("Content-Encoding") != "" {
				t.Fatalf("requests: %v", all)
			}
			checkSpans(t, all[0].body)
			for header, value := range tt.want {
				if is := all[0].Header.Get(header); is != value {
					t.Errorf("%s is %q, want %q", header, is, value)
				}
			}
		})
	}
}

func TestExportEndpoint(t *testing.T) {
	c, received := newCollector(t)
	c.Start()
	for _, tt := range []struct{ name, path, want string }{
		{"ENDPOINT", "", "/v1/traces"},
		{"ENDPOINT", "/", "/v1/traces"},
		{"ENDPOINT", "/otlp/", "/otlp/v1/traces"},
		{"TRACES_ENDPOINT", "", "/"},
		{"TRACES_ENDPOINT", "/in?team=media", "/in?team=media"},
	} {
		t.Run(tt.name+tt.path, func(t *testing.T) {
			environment := map[string]string{"ENDPOINT": "http://127.0.0.1:1"}
			environment[tt.name] = c.URL + tt.path
			err := newTestClient(t, environment).UploadTraces(t.Context(), spans)
			if all := received(); err != nil || len(all) != 1 || all[0].RequestURI != tt.want {
				t.Errorf("%v: %v", err, all)
			}
		})
	}
}

func TestExportCompression(t *testing.T) {
	c, received := newCollector(t)
	c.Start()
	if err := newTestClient(t, map[string]string{"ENDPOINT": c.URL, "COMPRESSION": "none", "TRACES_COMPRESSION": "gzip"}).UploadTraces(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	all := received()
	if len(all) != 1 || all[0].Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("requests: %v", all)
	}
	r, err := gzip.NewReader(bytes.NewReader(all[0].body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	checkSpans(t, plain)
}

func TestTransientErrorsAreRetried(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			c, received := newCollector(t, respondWith(status), respondWith(http.StatusOK))
			c.Start()
			err := newTestClient(t, map[string]string{"ENDPOINT": c.URL}).UploadTraces(t.Context(), spans)
			all := received()
			if err != nil || len(all) != 2 {
				t.Fatalf("%v, %d requests", err, len(all))
			}
			checkSpans(t, all[1].body)
		})
	}
}

func TestPermanentErrorsAreNotRetried(t *testing.T) {
	elsewhere, receivedElsewhere := newCollector(t)
	elsewhere.Start()
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protobuf)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(protowire.AppendString(protowire.AppendTag([]byte{1 << 3, 3}, 2, protowire.BytesType), "no such tenant"))
	}
	partial := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protobuf)
		rejection := protowire.AppendString(protowire.AppendTag([]byte{1 << 3, 7}, 2, protowire.BytesType), "too old")
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), rejection))
	}
	for name, tt := range map[string]struct {
		respond http.HandlerFunc
		want    string
	}{
		"text":     {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no key", http.StatusUnauthorized) }, `401 Unauthorized: "no key"`},
		"refused":  {refused, `400 Bad Request: "no such tenant"`},
		"partial":  {partial, `rejected 7 spans: "too old"`},
		"redirect": {respondWith(http.StatusTemporaryRedirect, "Location", elsewhere.URL), "307"},
		"much": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(make([]byte, 1<<20))
		}, "500"},
		"too late":  {respondWith(http.StatusServiceUnavailable, "Retry-After", "3600"), "503"},
		"that late": {respondWith(http.StatusServiceUnavailable, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), "503"},
	} {
		t.Run(name, func(t *testing.T) {
			c, received := newCollector(t, tt.respond)
			c.Start()
			err := newTestClient(t, map[string]string{"ENDPOINT": c.URL}).UploadTraces(t.Context(), spans)
			if all := received(); err == nil || !strings.Contains(err.Error(), tt.want) || len(all) != 1 {
				t.Errorf("%v, %d requests", err, len(all))
			}
		})
	}
	if all := receivedElsewhere(); len(all) > 0 {
		t.Errorf("requests to another host: %v", all)
	}
}

// The collector begins to listen after a connection was refused.
func TestRefusedConnectionIsRetried(t *testing.T) {
	c, received := newCollector(t)
	address := c.Listener.Addr().String()
	c.Listener.Close()
	client := newTestClient(t, map[string]string{"ENDPOINT": "http://" + address})
	client.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		conn, refused := (&net.Dialer{}).DialContext(ctx, network, to)
		if refused != nil {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return nil, err
			}
			c.Listener = l
			c.Start()
		}
		return conn, refused
	}
	err := client.UploadTraces(t.Context(), spans)
	if all := received(); err != nil || len(all) != 1 || c.URL == "" {
		t.Errorf("%v, %d requests", err, len(all))
	}
}

func TestNoRetryAfterTheTimeout(t *testing.T) {
	c, received := newCollector(t, respondWith(http.StatusServiceUnavailable, "Retry-After", "2"), respondWith(http.StatusOK))
	c.Start()
	err := newTestClient(t, map[string]string{"ENDPOINT": c.URL, "TIMEOUT": "3600000", "TRACES_TIMEOUT": "1000"}).UploadTraces(t.Context(), spans)
	if all := received(); err == nil || len(all) != 1 {
		t.Errorf("%v, %d requests", err, len(all))
	}
}

// selfSigned writes a self-signed certificate and its key, and returns the files and the certificate.
func selfSigned(t *testing.T) (certificateFile, keyFile string, certificate *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err = x509.ParseCertificate(signed)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", signed), writePEM(t, "PRIVATE KEY", private), certificate
}

func writePEM(t *testing.T, blockType string, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMutualTLSWithTheCollector(t *testing.T) {
	certificate, key, own := selfSigned(t)
	c, received := newCollector(t)
	known := x509.NewCertPool()
	known.AddCert(own)
	c.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known}
	c.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	c.EnableHTTP2 = true
	c.StartTLS()
	authority := writePEM(t, "CERTIFICATE", c.Certificate().Raw)
	for name, tt := range map[string]struct {
		environment map[string]string
		want        string // of the error
	}{
		"both":             {map[string]string{"CERTIFICATE": authority, "CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}, ""},
		"traces":           {map[string]string{"CERTIFICATE": certificate, "TRACES_CERTIFICATE": authority, "TRACES_CLIENT_CERTIFICATE": certificate, "TRACES_CLIENT_KEY": key}, ""},
		"unknown":          {map[string]string{"CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key}, "unknown authority"},
		"without a client": {map[string]string{"CERTIFICATE": authority}, "https://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.environment["ENDPOINT"] = c.URL
			tt.environment["TIMEOUT"] = "10000"
			if tt.want != "" {
				tt.environment["TIMEOUT"] = "2000" // handshake errors are retried until the timeout
			}
			err := newTestClient(t, tt.environment).UploadTraces(t.Context(), spans)
			all := received()
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || len(all) > 0) || tt.want == "" && (err != nil || len(all) != 1 || all[0].ProtoMajor != 2) {
				t.Errorf("%v, requests: %v", err, all)
			}
		})
	}
}
