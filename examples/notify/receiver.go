package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A receiver is a webhook that events are posted to.
type receiver struct {
	url, contentType string
	client           *http.Client
}

func newReceiver(s settings) receiver {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Over HTTP/2 all messages share a connection, and one that was forgotten on the way takes them in silence.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: s.timeout, PingTimeout: s.timeout, WriteByteTimeout: s.timeout}
	return receiver{url: s.url, contentType: s.contentType, client: &http.Client{
		Transport: transport,
		Timeout:   s.timeout,
		// A redirect could take the message, and with it the secret of the address, elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A failure is why a try told nobody. One that is permanent will not get better by waiting.
type failure struct {
	error
	permanent  bool
	retryAfter time.Duration
}

// Bounds of what a receiver can make us do.
const (
	maxRetryAfter = 24 * time.Hour
	maxAnswer     = 200 // bytes of an answer that a reason quotes
)

// post makes one try; nil when the receiver has taken it.
func (r receiver) post(ctx context.Context, id string, body []byte) *failure {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return &failure{error: errors.New("NOTIFY_URL is no address that can be asked"), permanent: true}
	}
	request.Header.Set("Content-Type", r.contentType)
	request.Header.Set("Idempotency-Key", id)
	response, err := r.client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // url.Error shows the address, which is a secret
		}
		return &failure{error: fmt.Errorf("the receiver cannot be reached: %w", err)}
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // it only explains
	if response.StatusCode/100 == 2 {
		return nil
	}
	return &failure{
		error:      fmt.Errorf("the receiver answered %s: %q", response.Status, answer),
		permanent:  permanent(response.StatusCode),
		retryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

// permanent says whether a status refuses this very message: what the client did wrong, other than being early or often.
func permanent(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// retryAfter reads the header of that name: seconds or a time.
func retryAfter(v string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter.Seconds()))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
