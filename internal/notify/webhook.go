package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// A webhook posts events to a receiver of CloudEvents over HTTP. The receiver gets the event as it is in the log: the rule's
// title and text are for people.
type webhook struct {
	config            WebhookConfig
	url, token, keys  secretSource
	client            webhookClient
	permission        permission
	structured, signs bool
}

// Headers of a webhook request, besides those of CloudEvents and Standard Webhooks.
const (
	requestIdempotencyKey = "Idempotency-Key"
	requestRule           = "Mkio-Notify-Rule"
	requestCount          = "Mkio-Notify-Count"
)

func newWebhook(c WebhookConfig, getenv func(string) string) (*webhook, error) {
	w := &webhook{
		config:     c,
		url:        secretSource{"url", c.URLFile, c.URLEnv, getenv},
		token:      secretSource{"token", c.TokenFile, c.TokenEnv, getenv},
		keys:       secretSource{"signingKey", c.SigningKeyFile, c.SigningKeyEnv, getenv},
		permission: newPermission(c.Origin, c.Rate),
		structured: c.Mode != ModeBinary,
	}
	w.signs = w.keys.isSet()
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	w.client.caFile = c.CAFile
	if _, err := w.client.get(); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return w, nil
}

// check reports what is wrong with the configuration and the current secrets.
func (w *webhook) check() error {
	c := w.config
	switch {
	case c.Mode != "" && c.Mode != ModeStructured && c.Mode != ModeBinary:
		return fmt.Errorf("mode %q is not known: set %s or %s", c.Mode, ModeStructured, ModeBinary)
	case c.URL != "" && w.url.isSet():
		return errors.New("url is set, and urlFile or urlEnv: leave one")
	case c.URL == "" && !w.url.isSet():
		return errNoURL
	case c.Rate < 0 || c.Rate > 0 && c.Origin == "":
		return errors.New("rate is what the handshake asks for: it must be above zero, and needs origin")
	case w.signs && !w.structured:
		return errors.New("a signature covers the body only, which in mode binary lacks the event's attributes: leave out mode or the signing key")
	}
	if err := errors.Join(w.url.check(), w.token.check(), w.keys.check()); err != nil {
		return err
	}
	_, err := w.secrets()
	return err
}

// webhookSecrets are the secrets of one request.
type webhookSecrets struct {
	url   *url.URL
	token string
	keys  []signingKey
	redactor
}

// secrets reads the current secrets.
func (w *webhook) secrets() (s webhookSecrets, err error) {
	address, hidden := w.config.URL, []string{}
	if w.url.isSet() {
		if address, err = w.url.read(); err != nil {
			return s, err
		}
	}
	if s.url, err = parseWebhookURL(address); err != nil {
		return s, err
	}
	if w.url.isSet() {
		hidden = addressSecrets(s.url)
	} else if s.url.User != nil || s.url.RawQuery != "" {
		return s, errors.New("url has a user or a query, which may be secret: use urlFile or urlEnv instead")
	}
	if w.token.isSet() {
		if s.token, err = w.token.read(); err != nil {
			return s, err
		}
		if strings.ContainsFunc(s.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return s, errors.New("token contains a character that an HTTP header cannot carry")
		}
		hidden = append(hidden, s.token)
	}
	if w.keys.isSet() {
		text, err := w.keys.read()
		if err != nil {
			return s, err
		}
		if s.keys, err = parseSigningKeys(text); err != nil {
			return s, err
		}
		hidden = append(hidden, strings.Fields(text)...)
	}
	s.redactor = newRedactor(hidden...)
	return s, nil
}

// parseWebhookURL parses an address. Its errors do not contain it.
func parseWebhookURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address must be like https://host/path")
	}
	u.Fragment = ""
	return u, nil
}

// Send implements [Target].
func (w *webhook) Send(ctx context.Context, m Message) error {
	s, err := w.secrets()
	if err != nil {
		return err
	}
	client, err := w.client.get()
	if err != nil {
		return err
	}
	if err := w.permission.ask(ctx, client, s); err != nil {
		return err
	}
	request, err := w.request(ctx, m, s)
	if err != nil {
		return &Permanent{fmt.Errorf("write the event as an HTTP request: %s", s.text(err.Error()))}
	}
	response, err := client.Do(request)
	if err != nil {
		return transportError(s.redactor, err)
	}
	defer response.Body.Close()
	return responseError(s.redactor, response, time.Now())
}

// request returns the request for a message.
func (w *webhook) request(ctx context.Context, m Message, s webhookSecrets) (*http.Request, error) {
	encoding := binding.WithForceStructured(ctx)
	if !w.structured {
		encoding = binding.WithForceBinary(ctx)
	}
	written := &http.Request{Header: http.Header{}}
	if err := cehttp.WriteRequest(encoding, binding.ToMessage(&m.Event), written); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(written.Body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = written.Header
	encodeAttributes(request.Header)
	id := m.Event.ID()
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set(requestIdempotencyKey, id)
	request.Header.Set(requestRule, m.Rule)
	if m.Count > 1 {
		request.Header.Set(requestCount, strconv.Itoa(m.Count))
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	if w.config.Origin != "" {
		request.Header.Set(headerRequestOrigin, w.config.Origin)
	}
	if w.signs {
		sign(request.Header, s.keys, id, time.Now(), body)
	}
	return request, nil
}

// userAgent names the program to receivers.
const userAgent = "mkio-bridge-notify"

// encodeAttributes percent-encodes the attributes in headers, as the HTTP binding of CloudEvents demands and the SDK does not:
// what is not printable ASCII, blanks, quotes and percent signs.
func encodeAttributes(h http.Header) {
	for name, values := range h {
		if !strings.HasPrefix(name, "Ce-") {
			continue
		}
		for i, value := range values {
			values[i] = encodeAttribute(value)
		}
	}
}

func encodeAttribute(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
