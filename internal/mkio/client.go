package mkio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
)

// ClientConfig is what a client needs to know.
type ClientConfig struct {
	BaseURL     string            // of the API, e.g. https://app.mk.io
	Token       func() string     // the bearer token as it is now
	PerMinute   int               // most requests in any minute, of each project
	Transport   http.RoundTripper // nil: one of [NewTransport]
	Resource    ResourcePolicy
	Correlation CorrelationPolicy
	Log         *slog.Logger       // nil: nothing is logged
	Advise      func(error) string // says what to do where MK.IO does not answer; nil: nobody does
}

// A Client asks MK.IO. All its requests of one project share one budget. It tries again what may succeed
// later, and tells apart in its errors what will not ([APIError]).
type Client struct {
	base      *url.URL
	token     func() string
	http      *http.Client
	perMinute int
	policies  policies
	metrics   *clientMetrics
	clock     clock
	silence   *silence
	admit     func(token string) error

	mu      sync.Mutex
	budgets map[string]*Budget // by project; "" for requests of none
}

// Limits of one request.
const (
	requestTime = 25 * time.Second // after it, and the pause, the next try begins within 30 s of the first
	maxAnswer   = 64 << 20         // bytes; a page of a thousand records has a few million
	maxTries    = 4
	firstWait   = time.Second // before the second try; it doubles
	longestWait = time.Minute
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
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for one host
		},
		perMinute: c.PerMinute,
		policies:  policies{c.Resource, c.Correlation},
		metrics:   newClientMetrics(),
		clock:     clock{log: c.Log},
		silence:   &silence{log: c.Log, advise: c.Advise},
		admit:     func(string) error { return nil },
		budgets:   map[string]*Budget{},
	}, nil
}

// PerMinute is how many requests a project takes in any minute.
func (c *Client) PerMinute() int { return c.perMinute }

// TokenEnd is when the token as it is now ends, where it says so.
func (c *Client) TokenEnd() (end time.Time, ok bool) { return TokenExpiry(c.token()) }

// Address is the base address of the API.
func (c *Client) Address() string { return c.base.String() }

// Organisation is that of the token as it is now; "" where it does not say.
func (c *Client) Organisation() string { return TokenOrganisation(c.token()) }

// Admit has every token asked about before it is sent: a request whose token is refused fails with that error, is not sent
// and not tried again. It is called before the first request.
func (c *Client) Admit(admit func(token string) error) { c.admit = admit }

// Budget is what a project may still be asked.
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
	project string // whose budget it takes from; "": the organisation's
	method  string
	path    string // below the base address, percent-encoded
	query   url.Values
	body    []byte
}

// A Moment is when MK.IO took what an answer shows, on its own clock.
type Moment struct {
	From, To time.Time // not before the one, not after the other
	Clock    time.Time // MK.IO's clock when the answer was there; zero: it is not known for sure
	// Stored is for an answer that is older than the request: a cache had kept it, or MK.IO's clock was set back just
	// now. It shows what was true at its moment, and not what is.
	Stored bool
}

// Together is the moment of what two answers show together: that of the first where it is a stored copy from before the
// second, else that of the second.
func Together(first, second Moment) Moment {
	if first.Stored && first.To.Before(second.To) {
		first.Clock = second.Clock
		return first
	}
	return second
}

// An answer is a success.
type answer struct {
	status int
	moment Moment
	body   []byte
}

// do makes a request, again where that may help.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	budget := c.Budget(r.project)
	for try := 1; ; try++ {
		came := time.Now()
		if err := budget.Take(ctx, r.class); err != nil {
			return answer{}, fmt.Errorf("%s %s: waiting for the request budget: %w", r.method, r.path, err)
		}
		c.metrics.granted(r, time.Since(came))
		a, err := c.try(ctx, r)
		if err == nil || ctx.Err() != nil || !retriable(err) {
			return a, err
		}
		wait := backoff(try)
		api, answered := errors.AsType[*APIError](err)
		tooMany := answered && (api.Status == http.StatusTooManyRequests || api.RetryAfter > 0)
		if tooMany {
			// It is the project that is asked too often, so all its requests wait.
			budget.Pause(time.Now().Add(max(wait, api.RetryAfter)))
		}
		if try == maxTries {
			return a, err
		}
		if tooMany {
			continue
		}
		if err := pause.For(ctx, wait); err != nil {
			return answer{}, err
		}
	}
}

// networkError is for a request that had no answer, or not the whole of one.
type networkError struct{ error }

func (e networkError) Unwrap() error { return e.error }

// IsNetwork says whether MK.IO could not be reached, or its answer broke off.
func IsNetwork(err error) bool {
	_, ok := errors.AsType[networkError](err)
	return ok
}

// retriable says whether another try may succeed: MK.IO is overloaded or broken, or did not answer.
func retriable(err error) bool {
	status := StatusOf(err)
	return IsNetwork(err) || status == http.StatusTooManyRequests || status >= 500
}

// backoff is a random while around a doubling one, so that many who failed together do not come back together.
func backoff(try int) time.Duration {
	d := min(firstWait<<(try-1), longestWait)
	return d/2 + rand.N(d)
}

// try makes a request once.
func (c *Client) try(ctx context.Context, r request) (answer, error) {
	began := time.Now()
	a, err := c.ask(ctx, r)
	switch {
	case IsNetwork(err) && ctx.Err() == nil: // nobody has given it up
		c.silence.lose(ctx, began, err)
	case err == nil || StatusOf(err) != 0:
		c.silence.answer()
	}
	return a, err
}

// ask makes a request once.
func (c *Client) ask(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	target := *c.base
	target.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20") // a plus is a blank to few servers only
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if err := setPath(req.URL, c.base.Path+r.path); err != nil {
		return answer{}, err
	}
	token := c.token()
	if err := c.admit(token); err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "mkio-bridge")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	asked := c.clock.ask()
	resp, err := c.http.Do(req)
	if err != nil {
		c.metrics.asked(r, 0, time.Since(asked.local))
		return answer{}, networkError{fmt.Errorf("%s %s: %w", r.method, r.path, withoutAddress(err))}
	}
	defer resp.Body.Close()
	body, err := readAnswer(resp)
	c.metrics.asked(r, resp.StatusCode, time.Since(asked.local))
	if err != nil {
		return answer{}, networkError{fmt.Errorf("%s %s: reading the answer: %w", r.method, r.path, err)}
	}
	if len(body) > maxAnswer {
		return answer{}, fmt.Errorf("%s %s: the answer has more than %d bytes", r.method, r.path, maxAnswer)
	}
	if resp.StatusCode/100 != 2 {
		if token != "" { // what stands before MK.IO may repeat in an error what it was sent
			body = bytes.ReplaceAll(body, []byte(token), []byte(redacted))
		}
		refusal := newAPIError(r.method, r.path, resp.StatusCode, resp.Header, body)
		refusal.Moment = c.clock.moment(asked, resp.Header, refusal.Genuine)
		return answer{}, refusal
	}
	return answer{resp.StatusCode, c.clock.moment(asked, resp.Header, true), body}, nil
}

// readAnswer reads the body of an answer, up to a bit more than may be. Where its length was announced there is room for it at
// once: that of a page is megabytes.
func readAnswer(resp *http.Response) ([]byte, error) {
	most := io.LimitReader(resp.Body, maxAnswer+1)
	if resp.ContentLength <= 0 {
		return io.ReadAll(most)
	}
	var body bytes.Buffer
	body.Grow(int(min(resp.ContentLength, maxAnswer)) + bytes.MinRead)
	_, err := body.ReadFrom(most)
	return body.Bytes(), err
}

// setPath gives an address a path that is percent-encoded already.
func setPath(u *url.URL, encoded string) error {
	path, err := url.PathUnescape(encoded)
	if err != nil {
		return err
	}
	u.Path, u.RawPath = path, encoded
	return nil
}

// withoutAddress takes off the address that net/http puts before its errors: the path says enough.
func withoutAddress(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// get asks for a JSON object.
func (c *Client) get(ctx context.Context, class Class, project, path string, query url.Values) (value, answer, error) {
	a, err := c.do(ctx, request{class: class, project: project, method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, a, err
	}
	v, err := parse(a.body)
	if errors.Is(err, errUTF16) {
		return nil, a, fmt.Errorf("GET %s: the answer is UTF-16, not UTF-8: see what stands between the bridge and MK.IO", path)
	}
	if err != nil || !v.isObject() {
		return nil, a, fmt.Errorf("GET %s: the answer is no JSON object", path)
	}
	return v, a, nil
}

// A Snapshot is a resource as one answer of MK.IO showed it.
type Snapshot struct {
	Row
	Moment Moment
}

// Get asks for one resource's record.
func (c *Client) Get(ctx context.Context, class Class, key lifecycle.Key) (Snapshot, error) {
	path, _, ok := Path(key)
	if !ok {
		return Snapshot{}, fmt.Errorf("no path leads to %s", key)
	}
	v, a, err := c.get(ctx, class, key.Project, path, nil)
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{c.single(key, v), a.moment}, nil
}

// State asks for the state of a resource whose record does not show it, and tells when that was.
func (c *Client) State(ctx context.Context, class Class, key lifecycle.Key) (string, Moment, error) {
	path, _, ok := Path(key)
	if !ok {
		return "", Moment{}, fmt.Errorf("no path leads to %s", key)
	}
	v, a, err := c.get(ctx, class, key.Project, path+"/state", nil)
	if err != nil {
		return "", Moment{}, err
	}
	state, ok := plainText(v.object().at("status").object().at("state"))
	if !ok {
		return "", Moment{}, fmt.Errorf("GET %s/state: the answer has no status.state", path)
	}
	return state, a.moment, nil
}

// A Project is one that the token can see.
type Project struct {
	Name   string
	ID     string
	Active bool
	Moment Moment // of the answer that showed it
}

// Projects asks for all projects that the token can see. Those that it returns with an error exist; others may be missing.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	var all []Project
	pages := c.pages("", "/api/v1/projects", nil)
	for pages.More() {
		items, a, err := pages.next(ctx, Changes)
		if err != nil {
			return all, err
		}
		for item := range items.elements() {
			all = append(all, projectOf(item, a.moment))
		}
	}
	return all, nil
}

// ActiveProjects returns the names of those projects that are active.
func ActiveProjects(projects []Project) []string {
	var active []string
	for _, p := range projects {
		if p.Active && p.Name != "" {
			active = append(active, p.Name)
		}
	}
	return active
}

// ErrNoActiveProject is for a token that sees no active project.
var ErrNoActiveProject = errors.New("the token can see no active project")

// AllActive asks for the names of all active projects that the token can see. With an error it returns those that MK.IO
// told before it failed; that there are none is an error too.
func (c *Client) AllActive(ctx context.Context) ([]string, error) {
	all, err := c.Projects(ctx)
	active := ActiveProjects(all)
	switch {
	case err != nil:
		return active, fmt.Errorf("MK.IO does not tell all its projects: %w", err)
	case len(active) == 0:
		return nil, ErrNoActiveProject
	}
	return active, nil
}

// Project asks for one project.
func (c *Client) Project(ctx context.Context, class Class, name string) (Project, error) {
	v, a, err := c.get(ctx, class, name, "/api/v1/projects/"+url.PathEscape(name), nil)
	return projectOf(v, a.moment), err
}

func projectOf(v value, at Moment) Project {
	top := v.object()
	p := Project{Active: true, Moment: at}
	p.Name, _ = top.at("metadata").object().text("name")
	p.ID, _ = top.at("metadata").object().text("id")
	var active *bool
	if json.Unmarshal(top.at("spec").object().at("isActive"), &active) == nil && active != nil {
		p.Active = *active
	}
	return p
}
