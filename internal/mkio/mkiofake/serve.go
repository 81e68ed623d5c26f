package mkiofake

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"mkio-bridge/internal/pause"
)

// maxBody is how many bytes of a request's body are read.
const maxBody = 1 << 20

// handle lets the organisation of the request's token respond.
func (m *MKIO) handle(r *http.Request) (response, error) {
	return m.organizationFor(r.Header.Get("Authorization")).respond(r)
}

// respond makes the response, with the request's faults.
func (m *MKIO) respond(r *http.Request) (response, error) {
	c := call{method: r.Method, url: requestURL(r), token: r.Header.Get("Authorization"), faults: m.drawFaults()}
	c.noCache = strings.Contains(r.Header.Get("Cache-Control"), "no-cache")
	if r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return response{}, err
		}
	}
	if err := pause.For(r.Context(), c.faults.delayBefore); err != nil {
		return response{}, err
	}
	segments, ok := segmentsOf(r.URL)
	m.mu.Lock()
	a := errorResponse(http.StatusNotFound, "There is no such resource.")
	if ok {
		c.segments = segments
		a = m.serveRecorded(c)
	}
	a = a.withDate(m.clock.now())
	m.mu.Unlock()
	if err := pause.For(r.Context(), c.faults.delayAfter); err != nil {
		return response{}, err
	}
	m.locked(func() {
		for _, e := range a.current {
			e.Shown++
		}
	})
	return a, nil
}

// requestURL returns the URL of a request, including its origin.
func requestURL(r *http.Request) *url.URL {
	u := *r.URL
	if u.Host == "" {
		u.Scheme, u.Host = "http", r.Host
	}
	return &u
}

// ServeHTTP serves the API.
func (m *MKIO) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := m.handle(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if a.cutAt > 0 {
		_, _ = w.Write(a.body[:a.cutAt])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // fails if the client is gone
}

// RoundTrip serves the API without a network.
func (m *MKIO) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	a, err := m.handle(r)
	if err != nil {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(a.body)
	if a.cutAt > 0 {
		body = io.MultiReader(bytes.NewReader(a.body[:a.cutAt]), brokenReader{})
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// A brokenReader fails like a broken connection.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
