package mkio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
)

// ClientConfig configures a client.
type ClientConfig struct {
	BaseURL     string            // of the API, e.g. https://app.mk.io
	Token       func() string     // the current bearer token
	PerMinute   int               // limit of requests in any minute, per project
	Transport   http.RoundTripper // nil: one of [NewTransport]
	Resource    ResourcePolicy
	Correlation CorrelationPolicy
	Log         *slog.Logger       // nil: no log
	Advise      func(error) string // advice for the log line of an outage; nil: none
}

// A Client sends requests to MK.IO's API. All requests of one project share one budget. It retries transient failures;
// [APIError] distinguishes the permanent ones.
type Client struct {
	base       *url.URL
	token      func() string
	http       *http.Client
	perMinute  int
	policies   policies
	metrics    *clientMetrics
	clock      clock
	outage     *outage
	checkToken func(token string) error
	noHidden   atomic.Bool // MK.IO refused to list hidden projects

	mu         sync.Mutex
	budgets    map[string]*Budget // by project; "": requests without a project
	smallPages map[string]bool    // the lists that refused the page size, by name
}

// Limits of one request.
const (
	requestTimeout = 25 * time.Second // with the backoff, the second try begins within 30 s of the first
	maxResponse    = 64 << 20         // bytes; a page of a thousand records is a few MB
	maxTries       = 4
	initialBackoff = time.Second // before the second try; doubles with each
	maxBackoff     = time.Minute
)

// NewClient returns a client of the API at a base address.
func NewClient(c ClientConfig) (*Client, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("address of MK.IO's API: %w", err)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = NewTransport(nil)
	}
	return &Client{
		base:  base,
		token: c.Token,
		http: &http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token must not reach another host
		},
		perMinute:  c.PerMinute,
		policies:   policies{c.Resource, c.Correlation},
		metrics:    newClientMetrics(),
		clock:      clock{log: c.Log},
		outage:     &outage{log: c.Log, advise: c.Advise},
		checkToken: func(string) error { return nil },
		budgets:    map[string]*Budget{},
		smallPages: map[string]bool{},
	}, nil
}

// PerMinute returns the limit of requests in any minute, per project.
func (c *Client) PerMinute() int { return c.perMinute }

// TokenExpiry returns when the current token expires; ok is false if it does not say.
func (c *Client) TokenExpiry() (end time.Time, ok bool) { return TokenExpiry(c.token()) }

// TokenType returns the type of the current token; "" if it does not say.
func (c *Client) TokenType() TokenType { return TokenTypeOf(c.token()) }

// Address returns the base address of the API.
func (c *Client) Address() string { return c.base.String() }

// Organisation returns the organisation of the current token; "" if the token does not name it.
func (c *Client) Organisation() string { return TokenOrganisation(c.token()) }

// CheckTokens sets a check of every token before it is sent: a request whose token fails the check returns its error, and is
// neither sent nor retried. CheckTokens must be called before the first request.
func (c *Client) CheckTokens(admit func(token string) error) { c.checkToken = admit }

// Budget returns the budget of a project.
func (c *Client) Budget(project string) *Budget {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.budgets[project]
	if !ok {
		b = NewBudget(c.perMinute)
		c.budgets[project] = b
	}
	return b
}

// A request is one call of the API.
type request struct {
	class   Class
	project string // whose budget it uses; "": the organisation's
	method  string
	path    string // below the base address, percent-encoded
	query   url.Values
	body    []byte
}

// An AsOf is the time at which a response was current, by MK.IO's clock.
type AsOf struct {
	From, To time.Time // an interval that contains it
	Clock    time.Time // MK.IO's clock when the response arrived; zero: not confirmed
	// Stored reports whether the response is older than the request: a cache had stored it, or MK.IO's clock was just set
	// back. It shows what was true then, not what is true now.
	Stored bool
}

// CombinedAsOf is the AsOf of an observation made of two responses: that of the first if it is a stored copy from before the
// second, else that of the second.
func CombinedAsOf(first, second AsOf) AsOf {
	if first.Stored && first.To.Before(second.To) {
		first.Clock = second.Clock
		return first
	}
	return second
}

// A response is a response with a 2xx status.
type response struct {
	status int
	asOf   AsOf
	body   []byte
}

// do sends a request and retries transient failures.
func (c *Client) do(ctx context.Context, r request) (response, error) {
	budget := c.Budget(r.project)
	for try := 1; ; try++ {
		waitingSince := time.Now()
		if err := budget.Take(ctx, r.class); err != nil {
			return response{}, fmt.Errorf("%s %s: waiting for the request budget: %w", r.method, r.path, err)
		}
		c.metrics.observeGrant(r, time.Since(waitingSince))
		a, err := c.attempt(ctx, r)
		if err == nil || ctx.Err() != nil || !retryable(err) {
			return a, err
		}
		wait := backoff(try)
		api, responded := errors.AsType[*APIError](err)
		tooMany := responded && (api.Status == http.StatusTooManyRequests || api.RetryAfter > 0)
		if tooMany {
			// The limit is the project's, so all its requests wait.
			budget.Pause(time.Now().Add(max(wait, api.RetryAfter)))
		}
		if try == maxTries {
			return a, err
		}
		if tooMany {
			continue
		}
		if err := pause.For(ctx, wait); err != nil {
			return response{}, err
		}
	}
}

// A networkError is the error of a request without a complete response.
type networkError struct{ error }

func (e networkError) Unwrap() error { return e.error }

// IsNetwork reports whether MK.IO could not be reached, or the response broke off.
func IsNetwork(err error) bool {
	_, ok := errors.AsType[networkError](err)
	return ok
}

// retryable reports whether another try may succeed: MK.IO is overloaded, failing or unreachable.
func retryable(err error) bool {
	status := StatusOf(err)
	return IsNetwork(err) || status == http.StatusTooManyRequests || status >= 500
}

// backoff returns a random duration of 50 to 150 % of an exponentially growing one, so that clients that failed together do
// not retry together.
func backoff(try int) time.Duration {
	d := min(initialBackoff<<(try-1), maxBackoff)
	return d/2 + rand.N(d)
}

// attempt sends a request once and records whether MK.IO responded.
func (c *Client) attempt(ctx context.Context, r request) (response, error) {
	began := time.Now()
	a, err := c.send(ctx, r)
	switch {
	case IsNetwork(err) && ctx.Err() == nil: // not cancelled by the caller
		c.outage.failed(ctx, began, err)
	case err == nil || StatusOf(err) != 0:
		c.outage.responded()
	}
	return a, err
}

// send sends a request once.
func (c *Client) send(ctx context.Context, r request) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	target := *c.base
	target.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20") // few servers decode a plus as a blank
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(r.body))
	if err != nil {
		return response{}, err
	}
	if err := setPath(req.URL, c.base.Path+r.path); err != nil {
		return response{}, err
	}
	token := c.token()
	if err := c.checkToken(token); err != nil {
		return response{}, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "mkio-bridge")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	times := c.clock.sent()
	resp, err := c.http.Do(req)
	if err != nil {
		c.metrics.observe(r, 0, time.Since(times.local))
		return response{}, networkError{fmt.Errorf("%s %s: %w", r.method, r.path, withoutURL(err))}
	}
	defer resp.Body.Close()
	body, err := readResponse(resp)
	c.metrics.observe(r, resp.StatusCode, time.Since(times.local))
	if err != nil {
		return response{}, networkError{fmt.Errorf("%s %s: read the response: %w", r.method, r.path, err)}
	}
	if len(body) > maxResponse {
		return response{}, fmt.Errorf("%s %s: the response has more than %d bytes", r.method, r.path, maxResponse)
	}
	if resp.StatusCode/100 != 2 {
		if token != "" { // a gateway may echo the request in its error
			body = bytes.ReplaceAll(body, []byte(token), []byte(redacted))
		}
		refusal := newAPIError(r.method, r.path, resp.StatusCode, resp.Header, body)
		refusal.AsOf = c.clock.asOf(times, resp.Header, refusal.Genuine)
		return response{}, refusal
	}
	return response{resp.StatusCode, c.clock.asOf(times, resp.Header, true), body}, nil
}

// readResponse reads a response's body up to maxResponse+1 bytes. A known Content-Length is allocated at once, because pages
// have megabytes.
func readResponse(resp *http.Response) ([]byte, error) {
	limited := io.LimitReader(resp.Body, maxResponse+1)
	if resp.ContentLength <= 0 {
		return io.ReadAll(limited)
	}
	var body bytes.Buffer
	body.Grow(int(min(resp.ContentLength, maxResponse)) + bytes.MinRead)
	_, err := body.ReadFrom(limited)
	return body.Bytes(), err
}

// setPath sets a percent-encoded path.
func setPath(u *url.URL, encoded string) error {
	path, err := url.PathUnescape(encoded)
	if err != nil {
		return err
	}
	u.Path, u.RawPath = path, encoded
	return nil
}

// withoutURL removes the URL that net/http puts before its errors: the callers name method and path.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// getObject sends a GET and parses the response, which must be a JSON object.
func (c *Client) getObject(ctx context.Context, class Class, project, path string, query url.Values) (value, response, error) {
	a, err := c.do(ctx, request{class: class, project: project, method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, a, err
	}
	v, err := parse(a.body)
	if errors.Is(err, errUTF16) {
		return nil, a, fmt.Errorf("GET %s: the response is UTF-16, not UTF-8: check the proxies between the bridge and MK.IO", path)
	}
	if err != nil || !v.isObject() {
		return nil, a, fmt.Errorf("GET %s: the response is not a JSON object", path)
	}
	return v, a, nil
}

// A Snapshot is a resource's record as one response showed it.
type Snapshot struct {
	Row
	AsOf AsOf
}

// Get reads one resource's record.
func (c *Client) Get(ctx context.Context, class Class, key lifecycle.Key) (Snapshot, error) {
	return c.get(ctx, class, key, nil)
}

// GetDetailed is Get for a resource of the Live API, with the detailed status: MK.IO does not document whether other records say
// why a resource failed.
func (c *Client) GetDetailed(ctx context.Context, class Class, key lifecycle.Key) (Snapshot, error) {
	return c.get(ctx, class, key, url.Values{"$detailedStatus": {"true"}})
}

func (c *Client) get(ctx context.Context, class Class, key lifecycle.Key, query url.Values) (Snapshot, error) {
	path, _, ok := Path(key)
	if !ok {
		return Snapshot{}, fmt.Errorf("%s has no API path", key)
	}
	v, a, err := c.getObject(ctx, class, key.Project, path, query)
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{c.rowOf(key, v), a.asOf}, nil
}

// State reads the state of a resource whose record does not have it, and the time of the response.
func (c *Client) State(ctx context.Context, class Class, key lifecycle.Key) (string, AsOf, error) {
	path, _, ok := Path(key)
	if !ok {
		return "", AsOf{}, fmt.Errorf("%s has no API path", key)
	}
	v, a, err := c.getObject(ctx, class, key.Project, path+"/state", nil)
	if err != nil {
		return "", AsOf{}, err
	}
	state, ok := plainText(v.object().at("status").object().at("state"))
	if !ok {
		return "", AsOf{}, fmt.Errorf("GET %s/state: the response has no status.state", path)
	}
	return state, a.asOf, nil
}
