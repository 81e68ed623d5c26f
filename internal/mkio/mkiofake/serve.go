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

// maxBody is how much of a request's body is read.
const maxBody = 1 << 20

// handle answers a request in the name of the organisation that it belongs to.
func (m *MKIO) handle(r *http.Request) (answer, error) {
	return m.answering(r.Header.Get("Authorization")).respond(r)
}

// respond answers a request, and takes its time where the faults say so.
func (m *MKIO) respond(r *http.Request) (answer, error) {
	c := call{method: r.Method, url: addressOf(r), token: r.Header.Get("Authorization"), fate: m.fateOf()}
	c.noCache = strings.Contains(r.Header.Get("Cache-Control"), "no-cache")
	if r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return answer{}, err
		}
	}
	if err := pause.For(r.Context(), c.fate.before); err != nil {
		return answer{}, err
	}
	segments, ok := segmentsOf(r.URL)
	m.mu.Lock()
	a := refuse(http.StatusNotFound, "There is no such resource.")
	if ok {
		c.segments = segments
		a = m.answer(c)
	}
	a = a.dated(m.clock.now())
	m.mu.Unlock()
	if err := pause.For(r.Context(), c.fate.after); err != nil {
		return answer{}, err
	}
	m.locked(func() {
		for _, e := range a.shows {
			e.Shown++
		}
	})
	return a, nil
}

// addressOf is the address that a request was sent to, its origin included.
func addressOf(r *http.Request) *url.URL {
	u := *r.URL
	if u.Host == "" {
		u.Scheme, u.Host = "http", r.Host
	}
	return &u
}

// ServeHTTP is the API.
func (m *MKIO) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := m.handle(r)
	if err != nil {
		panic(http.ErrAbortHandler) // nobody waits for the answer
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if a.cut > 0 {
		_, _ = w.Write(a.body[:a.cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // who has gone misses it
}

// RoundTrip is the API without a network.
func (m *MKIO) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	a, err := m.handle(r)
	if err != nil {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(a.body)
	if a.cut > 0 {
		body = io.MultiReader(bytes.NewReader(a.body[:a.cut]), brokenOff{})
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// brokenOff is a connection that broke.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
