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

// A client posts spans to a collector, as OTLP over HTTP. OpenTelemetry's own brings gRPC with it, which would be
// a tenth of the bridge.
type client struct {
	*settings
	http  *http.Client
	agent string
	ended context.Context // with which all exports end
	end   context.CancelFunc
}

// Times after which a connection over HTTP/2 that went silent is given up. All exports share it.
const (
	pingAfter = 10 * time.Second // without a frame from the collector
	pingTime  = 5 * time.Second  // for the answer to a ping, and for each part of a request to be taken
)

func newClient(s *settings, version string) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.tls
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: pingTime}
	ended, end := context.WithCancel(context.Background())
	return &client{
		settings: s,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers are for one host
		},
		agent: "mkio-bridge/" + version,
		ended: ended,
		end:   end,
	}
}

// Start asks nobody yet.
func (*client) Start(context.Context) error { return nil }

// Stop ends the exports under way.
func (c *client) Stop(context.Context) error {
	c.end()
	c.http.CloseIdleConnections()
	return nil
}

// An export that failed and may succeed later is tried again after a pause that doubles, and is drawn anew so that
// many bridges spread.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// UploadTraces posts spans until the collector has them or refuses them, or the time is up.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := c.encode(spans)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.ended, cancel)()
	deadline, _ := ctx.Deadline()
	var before error // why an earlier try failed, which says more than that the time is up
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := c.post(ctx, body)
		if ctx.Err() != nil && before != nil {
			return before
		}
		before = err
		later, ok := errors.AsType[*laterError](err)
		if !ok {
			return err
		}
		wait := max(later.after, pause/2+rand.N(pause))
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

// encode writes spans as the request that exports them, which is of the same form as a file of them.
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

// A laterError is a failure that may pass.
type laterError struct {
	error
	after time.Duration // that the collector asks for
}

const (
	protobuf  = "application/x-protobuf"
	maxAnswer = 64 << 10 // as much of an answer is read, in bytes
)

func (c *client) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return withoutAddress(err)
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
		return &laterError{error: fmt.Errorf("%s: %w", c.to, withoutAddress(err))}
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // the status is what counts
	return c.judge(response, answer)
}

// withoutAddress is an error of net/http's without the address asked, which may hold credentials.
func withoutAddress(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}

// judge is the error that an answer stands for. In protobuf, a refusal is a code and a text, and a success holds how many
// spans were rejected all the same, and why.
func (c *client) judge(response *http.Response, answer []byte) error {
	accepted := response.StatusCode/100 == 2
	isProtobuf := response.Header.Get("Content-Type") == protobuf
	if accepted && isProtobuf {
		_, partial, _ := fields(answer)
		if rejected, _, why := fields(partial); rejected > 0 || len(why) > 0 {
			return fmt.Errorf("%s rejected %d spans: %q", c.to, rejected, why)
		}
	}
	if accepted {
		return nil
	}
	if isProtobuf {
		_, _, answer = fields(answer)
	}
	err := fmt.Errorf("%s answers %s: %q", c.to, response.Status, bytes.TrimSpace(answer))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &laterError{err, retryAfter(response.Header.Get("Retry-After"))}
	}
	return err
}

// fields reads what the messages of an answer consist of: a first field that is a number or a message, and a second that
// is a text. It reads as far as the message is well-formed.
func fields(message []byte) (number uint64, inner, text []byte) {
	for len(message) > 0 {
		field, sort, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch {
		case field == 1 && sort == protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case field == 1 && sort == protowire.BytesType:
			inner, n = protowire.ConsumeBytes(message)
		case field == 2 && sort == protowire.BytesType:
			text, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, sort, message)
		}
		if n < 0 {
			return
		}
		message = message[n:]
	}
	return
}

// retryAfter is zero where the collector asks for no time.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
