//go:build e2e

package browser

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
)

// A proxy stands between the browser and bridges, as a load balancer or an ingress does, and causes the faults of a network. It
// serves the first bridge that can be reached. The zero value of a field changes nothing.
type proxy struct {
	*httptest.Server
	console string // URL of the console behind it
	reverse *httputil.ReverseProxy

	mu      sync.Mutex
	bridges []string // host:port of admin listeners, in the order of preference
	down    bool     // close each connection without an answer
	hang    chan struct{}
	version string // that the bridges seem to be of
	refused int    // the status that streams get
	replace []string
	opened  int // streams so far
	open    int // streams that are open
}

// newProxy serves bridges below a base path ("": none), which it removes from requests.
func newProxy(t *testing.T, basePath string, bridges ...string) *proxy {
	t.Helper()
	p := &proxy{bridges: bridges}
	p.reverse = &httputil.ReverseProxy{Transport: p, ModifyResponse: p.modify, ErrorHandler: abort, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.Host = r.In.Host // the session's cookie is of the address that the browser uses
		r.Out.Header.Del("Accept-Encoding")
		r.SetXForwarded()
	}}
	p.Server = httptest.NewServer(http.StripPrefix(basePath, p))
	p.console = p.URL + basePath + "/console/"
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// abort closes the connection, as a network without a proxy would.
func abort(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }

// set changes the proxy's fields.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// streams returns how many event streams were opened, and how many of them are open.
func (p *proxy) streams() (opened, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.open
}

// cut closes all connections, and refuses others until mend.
func (p *proxy) cut() {
	p.set(func() { p.down = true })
	p.CloseClientConnections()
}

func (p *proxy) mend() { p.set(func() { p.down = false }) }

// ServeHTTP implements [http.Handler].
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stream := r.URL.Path == "/v1/events" && r.URL.Query().Get("follow") == ""
	p.mu.Lock()
	down, hang, refused := p.down, p.hang, p.refused
	if stream {
		p.opened++
		p.open++
		defer p.set(func() { p.open-- })
	}
	p.mu.Unlock()
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case hang != nil:
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	case stream && refused != 0:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(refused)
		_, _ = io.WriteString(w, `{"detail": "too many event streams are open: close one, or retry later"}`)
		return
	}
	p.reverse.ServeHTTP(w, r)
}

// RoundTrip implements [http.RoundTripper].
func (p *proxy) RoundTrip(r *http.Request) (response *http.Response, err error) {
	p.mu.Lock()
	bridges := p.bridges
	p.mu.Unlock()
	for _, address := range bridges {
		next := r.Clone(r.Context())
		next.URL.Scheme, next.URL.Host = "http", address
		if response, err = http.DefaultTransport.RoundTrip(next); err == nil {
			return response, nil
		}
	}
	return nil, err
}

// modify changes what the bridges answer.
func (p *proxy) modify(r *http.Response) error {
	p.mu.Lock()
	version, replace := p.version, p.replace
	p.mu.Unlock()
	if version != "" {
		r.Header.Set("Mkio-Bridge-Version", version)
	}
	if len(replace) == 0 || !strings.HasSuffix(r.Request.URL.Path, ".js") {
		return nil
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	content = []byte(strings.NewReplacer(replace...).Replace(string(content)))
	r.Body = io.NopCloser(bytes.NewReader(content))
	r.Header.Del("Content-Length")
	r.ContentLength = -1
	return nil
}
