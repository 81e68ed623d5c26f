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
	// Over HTTP/2 all posts share a connection. Pings detect one that the network has silently dropped.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: s.timeout, PingTimeout: s.timeout, WriteByteTimeout: s.timeout}
	return receiver{url: s.url, contentType: s.contentType, client: &http.Client{
		Transport: transport,
		Timeout:   s.timeout,
		// A redirect would send the message, and possibly the secret URL, to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A failure is why a try failed. Retrying a permanent failure does not help.
type failure struct {
	error
	permanent  bool
	retryAfter time.Duration
}

// Limits of what a receiver can cause.
const (
	maxRetryAfter = 24 * time.Hour
	maxQuoted     = 200 // bytes of a response that a reason quotes
)

// post sends one request, and returns nil if the receiver has accepted it.
func (r receiver) post(ctx context.Context, id string, body []byte) *failure {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return &failure{error: errors.New("NOTIFY_URL is not a valid URL"), permanent: true}
	}
	request.Header.Set("Content-Type", r.contentType)
	request.Header.Set("Idempotency-Key", id)
	response, err := r.client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // url.Error contains the URL, which is a secret
		}
		return &failure{error: fmt.Errorf("the receiver cannot be reached: %w", err)}
	}
	defer response.Body.Close()
	quoted, _ := io.ReadAll(io.LimitReader(response.Body, maxQuoted)) // for the reason only
	if response.StatusCode/100 == 2 {
		return nil
	}
	return &failure{
		error:      fmt.Errorf("the receiver responded %s: %q", response.Status, quoted),
		permanent:  permanent(response.StatusCode),
		retryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

// permanent reports whether a status refuses the message itself: client errors except timeouts and rate limits.
func permanent(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// retryAfter parses a Retry-After header: seconds or a time.
func retryAfter(v string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter.Seconds()))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
