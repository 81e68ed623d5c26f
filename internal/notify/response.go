package notify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of what a receiver can cause.
const (
	maxAnnounced      = 24 * time.Hour
	maxResponseHeader = 64 << 10
	maxResponseBody   = 64 << 10 // read so that the connection can be used again
	maxQuoted         = 200      // bytes of a response that an error quotes
)

// transportError returns the error of a request that got no response.
func transportError(r redactor, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // url.Error contains the address
	}
	return fmt.Errorf("the receiver gave no response: %s", r.text(err.Error()))
}

// responseError returns nil if the response accepts the message.
func responseError(r redactor, response *http.Response, now time.Time) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBody))
	status := response.StatusCode
	switch status / 100 {
	case 2:
		return nil // also if the connection ended within the body: the receiver has accepted the message
	case 3:
		return fmt.Errorf("the receiver responded %s, and redirects are not followed: set the final address", statusText(status))
	}
	refused := fmt.Errorf("the receiver responded %s%s", statusText(status), quoted(r, body, err != nil))
	if permanent(status) {
		return &Permanent{refused}
	}
	if after, ok := retryAfter(response.Header.Get("Retry-After"), now); ok {
		return &RetryAfter{refused, after}
	}
	return refused
}

// statusText returns a status in the words of the standard: a receiver's own words may be anything.
func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// quoted returns the beginning of a body for an error.
func quoted(r redactor, body []byte, torn bool) string {
	if torn || len(body) == maxResponseBody {
		// The end may be the beginning of a secret, which the redactor would not recognise.
		body = body[:max(0, len(body)-r.longest())]
	}
	text := strings.TrimSpace(r.text(string(body)))
	switch {
	case text == "":
		return ""
	case len(text) > maxQuoted:
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return ": " + text
}

// permanent reports whether a status refuses the message itself, so that another try is in vain: a client error, except
// timeouts, rate limits, and what an operator may correct meanwhile (a wrong secret, a wrong address).
func permanent(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// retryAfter parses a Retry-After header: seconds or a time.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxAnnounced.Seconds()))) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxAnnounced), true
	}
	return 0, false
}
