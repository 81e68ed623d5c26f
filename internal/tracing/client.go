package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A client sends spans to a collector by OTLP over HTTP. OpenTelemetry's own client would add gRPC, a tenth of the bridge's
// size.
type client struct {
	*settings
	http    *http.Client
	agent   string
	stopped context.Context // ends all exports
	stop    context.CancelFunc
}

// Timeouts of a dead connection over HTTP/2, which all exports share.
const (
	pingInterval = 10 * time.Second // without a frame from the collector
	pingTimeout  = 5 * time.Second  // for the response to a ping, and for each write
)

func newClient(s *settings, version string) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.tls
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingInterval, PingTimeout: pingTimeout, WriteByteTimeout: pingTimeout}
	stopped, stop := context.WithCancel(context.Background())
	return &client{
		settings: s,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers must not reach another host
		},
		agent:   "mkio-bridge/" + version,
		stopped: stopped,
		stop:    stop,
	}
}

// Start implements otlptrace.Client; the connection is opened by the first export.
func (*client) Start(context.Context) error { return nil }

// Stop cancels all exports.
func (c *client) Stop(context.Context) error {
	c.stop()
	c.http.CloseIdleConnections()
	return nil
}

// Backoff between the attempts of an export: it doubles and is randomised, so that many bridges do not retry together.
const (
	initialBackoff = 500 * time.Millisecond
	maxBackoff     = 30 * time.Second
)

// UploadTraces sends spans until the collector accepts or rejects them, or until the timeout.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := c.encode(spans)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.stopped, cancel)()
	deadline, _ := ctx.Deadline()
	var lastErr error // of the previous attempt: more useful than a timeout
	for backoff := initialBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := c.post(ctx, body)
		if ctx.Err() != nil && lastErr != nil {
			return lastErr
		}
		lastErr = err
		retryable, ok := errors.AsType[*retryableError](err)
		if !ok {
			return err
		}
		wait := max(retryable.retryAfter, backoff/2+rand.N(backoff))
		if time.Until(deadline) < wait {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// encode returns the body of an export request, which has the same encoding as TracesData.
func (c *client) encode(spans []*tracepb.ResourceSpans) ([]byte, error) {
	plain, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil || !c.gzip {
		return plain, err
	}
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	_, err = w.Write(plain)
	err = errors.Join(err, w.Close())
	return small.Bytes(), err
}

// A retryableError is a transient failure.
type retryableError struct {
	error
	retryAfter time.Duration // by the collector's Retry-After
}

const (
	protobuf    = "application/x-protobuf"
	maxResponse = 64 << 10 // bytes that are read of a response
)

func (c *client) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	request.Header = c.header.Clone()
	request.Host = c.header.Get("Host")
	request.Header.Set("Content-Type", protobuf)
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", c.agent)
	}
	if c.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return &retryableError{error: fmt.Errorf("%s: %w", c.endpoint, withoutURL(err))}
	}
	defer response.Body.Close()
	responseBody, _ := io.ReadAll(io.LimitReader(response.Body, maxResponse)) // the status decides
	return c.responseError(response, responseBody)
}

// withoutURL removes the URL that net/http puts before its errors: it may contain credentials.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// responseError returns the error of a response, or nil. In protobuf, an error is a code and a text, and a success has the
// number of rejected spans and the reason.
func (c *client) responseError(response *http.Response, body []byte) error {
	accepted := response.StatusCode/100 == 2
	isProtobuf := response.Header.Get("Content-Type") == protobuf
	if accepted && isProtobuf {
		_, partial, _ := fields(body)
		if rejected, _, why := fields(partial); rejected > 0 || len(why) > 0 {
			return fmt.Errorf("%s rejected %d spans: %q", c.endpoint, rejected, why)
		}
	}
	if accepted {
		return nil
	}
	if isProtobuf {
		_, _, body = fields(body)
	}
	err := fmt.Errorf("%s responds %s: %q", c.endpoint, response.Status, bytes.TrimSpace(body))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &retryableError{err, retryAfter(response.Header.Get("Retry-After"))}
	}
	return err
}

// fields reads a protobuf message whose field 1 is a number or a message and whose field 2 is a text. It stops at the first
// malformed field.
func fields(message []byte) (number uint64, inner, text []byte) {
	for len(message) > 0 {
		field, wireType, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch {
		case field == 1 && wireType == protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case field == 1 && wireType == protowire.BytesType:
			inner, n = protowire.ConsumeBytes(message)
		case field == 2 && wireType == protowire.BytesType:
			text, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, wireType, message)
		}
		if n < 0 {
			return
		}
		message = message[n:]
	}
	return
}

// retryAfter parses a Retry-After; 0 if there is none.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
