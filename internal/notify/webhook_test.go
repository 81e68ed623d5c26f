package notify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

func openWebhook(t testing.TB, c WebhookConfig) Target {
	t.Helper()
	return open(t, TargetConfig{Webhook: &c})
}

func TestWebhookSendsTheEvent(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", ModeBinary} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			m := testMessage(t)
			m.Count = 7
			m.Event.SetSubject("transforms/ladder-hd/jobs/Größe 100%") // a character that no header can carry
			r := newReceiver(t, nil)
			target := openWebhook(t, WebhookConfig{URL: r.URL + "/events", Mode: mode, TokenFile: secretFile(t, "token-of-the-receiver\n")})
			if err := target.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			q := r.next(t)
			for name, want := range map[string]string{
				"Authorization": "Bearer token-of-the-receiver", requestIdempotencyKey: m.Event.ID(), requestRule: "failed-jobs", requestCount: "7", headerWebhookSignature: "",
			} {
				if got := q.header.Get(name); got != want {
					t.Errorf("header %s: %q, want %q", name, got, want)
				}
			}
			if q.method != http.MethodPost || q.path != "/events" {
				t.Errorf("%s %s", q.method, q.path)
			}
			if mode == ModeBinary {
				if got := q.header.Get("Ce-Subject"); got != "transforms/ladder-hd/jobs/Gr%C3%B6%C3%9Fe%20100%25" {
					t.Errorf("ce-subject %q is not percent-encoded", got)
				}
				m.Event.SetSubject(q.header.Get("Ce-Subject")) // the SDK does not decode it
			}
			got, err := binding.ToEvent(t.Context(), cehttp.NewMessage(q.header, io.NopCloser(bytes.NewReader(q.body))))
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != m.Event.String() {
				t.Errorf("the receiver got\n%s, want\n%s", got, m.Event)
			}
		})
	}
}

func TestWebhookResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		respond   http.HandlerFunc
		accepted  bool
		permanent bool
		after     time.Duration
		text      string // in the error
	}{
		"200":                   {respond: status(200), accepted: true},
		"202":                   {respond: status(202), accepted: true},
		"204":                   {respond: status(204), accepted: true},
		"accepted, then closed": {respond: closeHalfway, accepted: true},
		"closed":                {respond: closeAtOnce, text: "gave no response"},
		"500":                   {respond: status(500), text: "500 Internal Server Error"},
		"503 without a time":    {respond: status(503), text: "503"},
		"503 with seconds":      {respond: retryLater(503, "120"), after: 2 * time.Minute, text: "503"},
		"429":                   {respond: retryLater(429, "7"), after: 7 * time.Second, text: "429"},
		"429, far too long":     {respond: retryLater(429, "999999999"), after: maxAnnounced},
		"429, nonsense":         {respond: retryLater(429, "soon")},
		"408":                   {respond: status(408)},
		"401":                   {respond: status(401)}, // an operator may correct the token
		"404":                   {respond: status(404)}, // or the address
		"400":                   {respond: status(400), permanent: true},
		"410":                   {respond: retryLater(410, "1"), permanent: true, text: "410 Gone"},
		"413":                   {respond: status(413), permanent: true},
		"415":                   {respond: status(415), permanent: true},
		"302":                   {respond: redirect(302), text: "redirects are not followed"},
		"307":                   {respond: redirect(307), text: "redirects are not followed"},
		"an endless body":       {respond: endless(500), text: "500"},
		"hostile characters":    {respond: body(400, "\x1b[2J\x00 evil\r\n level=INFO"), permanent: true, text: `\x1b`},
		"a reason":              {respond: body(422, `{"error": "the field x is missing"}`), permanent: true, text: "the field x is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, test.respond)
			err := openWebhook(t, WebhookConfig{URL: r.URL}).Send(t.Context(), testMessage(t))
			if (err == nil) != test.accepted {
				t.Fatalf("Send returned %v, want accepted %t", err, test.accepted)
			}
			if err == nil {
				return
			}
			if _, permanent := errors.AsType[*Permanent](err); permanent != test.permanent {
				t.Errorf("%v: permanent %t, want %t", err, permanent, test.permanent)
			}
			later, _ := errors.AsType[*RetryAfter](err)
			if later == nil {
				later = &RetryAfter{}
			}
			if later.After != test.after {
				t.Errorf("%v: retry after %s, want %s", err, later.After, test.after)
			}
			if text := err.Error(); !strings.Contains(text, test.text) || len(text) > 500 || strings.ContainsAny(text, "\x1b\x00\n") {
				t.Errorf("the error is %q, want one with %q, short and printable", text, test.text)
			}
			if len(r.requests) > 1 && test.text != "gave no response" {
				t.Errorf("the receiver got %d requests in one try", len(r.requests))
			}
		})
	}
}

func retryLater(code int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(code)
	}
}

func redirect(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/elsewhere" {
			return // 200: a redirect that is followed would look like success
		}
		http.Redirect(w, q, "/elsewhere", code)
	}
}

func body(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

// endless writes until the sender closes the connection.
func endless(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		for chunk := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

func closeAtOnce(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func closeHalfway(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "half of it")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {
		cancel() // the request has arrived, and gets no response
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the server is closed
	err := openWebhook(t, WebhookConfig{URL: r.URL}).Send(ctx, testMessage(t))
	if err == nil || !strings.Contains(err.Error(), "gave no response") {
		t.Errorf("Send returned %v", err)
	}
}

func TestRetryAfterMayBeATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"Tue, 04 Mar 2031 10:01:30 GMT": 90 * time.Second,
		"Tue, 04 Mar 2031 09:00:00 GMT": 0,
		"Tue, 04 Mar 2036 09:00:00 GMT": maxAnnounced,
		" 3 ":                           3 * time.Second,
		"-3":                            0,
	} {
		if got, ok := retryAfter(header, now); got != want || !ok {
			t.Errorf("%s: %s, %t, want %s", header, got, ok, want)
		}
	}
}

func TestWebhookSignature(t *testing.T) {
	t.Parallel()
	// The example of Standard Webhooks' reference libraries.
	keys, err := parseSigningKeys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	sign(h, keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := h.Get(headerWebhookSignature), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}

	// The receiver verifies what it gets with either of two keys.
	r := newReceiver(t, nil)
	var lines []string
	for range 2 {
		lines = append(lines, "whsec_"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(len(lines) + 1)}, 32)))
	}
	m := testMessage(t)
	if err := openWebhook(t, WebhookConfig{URL: r.URL, SigningKeyFile: secretFile(t, strings.Join(lines, "\n"))}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	q := r.next(t)
	signatures := strings.Fields(q.header.Get(headerWebhookSignature))
	if len(signatures) != 2 || q.header.Get(headerWebhookID) != m.Event.ID() {
		t.Fatalf("headers %v", q.header)
	}
	for i, signature := range signatures {
		mac := hmac.New(sha256.New, bytes.Repeat([]byte{byte(i + 1)}, 32))
		fmt.Fprintf(mac, "%s.%s.%s", q.header.Get(headerWebhookID), q.header.Get(headerWebhookTimestamp), q.body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); signature != want {
			t.Errorf("signature %d is %s, want %s", i, signature, want)
		}
	}
	if _, err := strconv.ParseInt(q.header.Get(headerWebhookTimestamp), 10, 64); err != nil {
		t.Errorf("timestamp: %v", err)
	}
}

func TestWebhookTrustsTheCA(t *testing.T) {
	t.Parallel()
	r := &testReceiver{requests: make(chan received, 10)}
	r.Server = httptest.NewTLSServer(r.handler(nil))
	t.Cleanup(r.Close)
	ca := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})))
	if err := openWebhook(t, WebhookConfig{URL: r.URL, CAFile: ca}).Send(t.Context(), testMessage(t)); err != nil {
		t.Error(err)
	}
	if err := openWebhook(t, WebhookConfig{URL: r.URL}).Send(t.Context(), testMessage(t)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: %v", err)
	}
}

// A replaced certificate authority is used for the next message.
func TestRotatedCAIsUsed(t *testing.T) {
	t.Parallel()
	r := &testReceiver{requests: make(chan received, 10)}
	r.Server = httptest.NewTLSServer(r.handler(nil))
	t.Cleanup(r.Close)
	valid := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))
	file := secretFile(t, otherCA(t))
	target := openWebhook(t, WebhookConfig{URL: r.URL, CAFile: file})
	if err := target.Send(t.Context(), testMessage(t)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with another CA: %v", err)
	}
	writeSecret(t, file, valid)
	if err := target.Send(t.Context(), testMessage(t)); err != nil {
		t.Error(err)
	}
	writeSecret(t, file, "") // half written
	err := target.Send(t.Context(), testMessage(t))
	if _, permanent := errors.AsType[*Permanent](err); err == nil || permanent {
		t.Errorf("with an empty file: %v, want an error that is retried", err)
	}
}

// otherCA returns a certificate that signed nothing.
func otherCA(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, certificate, certificate, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

func TestWebhookConfigurationErrors(t *testing.T) {
	t.Parallel()
	key := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	for want, c := range map[string]WebhookConfig{
		"no address":         {},
		"leave one":          {URL: "https://a.example", URLEnv: "SOME_URL"},
		"urlFile and urlEnv": {URLFile: "/some/file", URLEnv: "SOME_URL"},
		"like https://":      {URL: "a.example/path"},
		"user or a query":    {URL: "https://a.example/?token=hunter2hunter2"},
		"SOME_UNSET_URL":     {URLEnv: "SOME_UNSET_URL"},
		"/no/such/file":      {URLFile: "/no/such/file"},
		"is empty":           {URL: "https://a.example", TokenFile: secretFile(t, " \n")},
		"HTTP header":        {URL: "https://a.example", TokenFile: secretFile(t, "hunter2\nhunter2")},
		`mode "both"`:        {URL: "https://a.example", Mode: "both"},
		"openssl rand":       {URL: "https://a.example", SigningKeyFile: secretFile(t, "hunter2")},
		"has 4 bytes":        {URL: "https://a.example", SigningKeyFile: secretFile(t, "whsec_aGVsbA==")},
		"covers the body":    {URL: "https://a.example", SigningKeyFile: secretFile(t, key), Mode: ModeBinary},
		"needs origin":       {URL: "https://a.example", Rate: 10},
		"no certificate":     {URL: "https://a.example", CAFile: secretFile(t, "hunter2")},
	} {
		_, err := TargetConfig{Webhook: &c}.Open()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: error %v, want one with %q and without a secret", c, err, want)
		}
	}
	for _, c := range []TargetConfig{{}, {Webhook: &WebhookConfig{}, Service: &ServiceConfig{}}} {
		if _, err := c.Open(); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestRotatedTokenIsUsed(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	file := secretFile(t, "first-token")
	target := openWebhook(t, WebhookConfig{URL: r.URL, TokenFile: file})
	for _, token := range []string{"first-token", "second-token"} {
		writeSecret(t, file, token)
		if err := target.Send(t.Context(), testMessage(t)); err != nil {
			t.Fatal(err)
		}
		if got := r.next(t).header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("Authorization %q, want the token %s", got, token)
		}
	}
	writeSecret(t, file, "") // half written
	err := target.Send(t.Context(), testMessage(t))
	if _, permanent := errors.AsType[*Permanent](err); err == nil || permanent {
		t.Errorf("with an empty file: %v, want an error that is retried", err)
	}
}

func TestWebhookErrorsContainNoSecret(t *testing.T) {
	t.Parallel()
	const inPath, inQuery, token = "T0PSECRETPATH", "t0p secret query", "t0p-secret-token"
	echo := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		// Padding moves the secrets across the end of what is quoted.
		padding, _ := strconv.Atoi(q.Header.Get(requestCount))
		all, _ := json.Marshal(q.Header)
		fmt.Fprintf(w, "%s %s %s %s", strings.Repeat("-", padding), q.URL, q.URL.Query(), all)
	})
	for name, address := range map[string]string{
		"echo":        echo.URL,
		"refused":     "http://127.0.0.1:1",
		"wrong proto": strings.Replace(echo.URL, "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := openWebhook(t, WebhookConfig{
				URLFile: secretFile(t, address+"/hooks/"+inPath+"?code="+strings.ReplaceAll(inQuery, " ", "%20")), TokenFile: secretFile(t, token),
			})
			m := testMessage(t)
			for m.Count = 2; m.Count < 250; m.Count++ {
				err := target.Send(t.Context(), m)
				if err == nil {
					t.Fatal("Send succeeded")
				}
				for _, secret := range []string{inPath, inQuery, token, "T0PSEC", "t0p-sec", "t0p%20", "t0p+sec"} {
					if strings.Contains(err.Error(), secret) {
						t.Fatalf("the error %q contains %s", err, secret)
					}
				}
				if name != "echo" {
					break
				}
			}
		})
	}
}

// A response that ends within a secret has a part of it, which the redactor does not recognise.
func TestTornResponseLeaksNoPartOfASecret(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "this is a wrong token: t0p-secret-to")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	err := openWebhook(t, WebhookConfig{URL: r.URL, TokenFile: secretFile(t, "t0p-secret-token")}).Send(t.Context(), testMessage(t))
	if err == nil || !strings.Contains(err.Error(), "this is a") || strings.Contains(err.Error(), "t0p") {
		t.Errorf("the error is %v", err)
	}
}
