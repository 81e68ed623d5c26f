package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// deadlines is a writer that records its write deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlines) SetWriteDeadline(until time.Time) error {
	d.until = append(d.until, until)
	return nil
}

// Event streams and other responses have their own slots, and streams have no more than half of the listener's connections.
func TestReaderSlots(t *testing.T) {
	r := newReaders(20)
	checkSlots(t, "streams of few connections", 10, r.following)
	var within http.HandlerFunc = func(http.ResponseWriter, *http.Request) {
		checkSlots(t, "pages beside a stream", maxReaders, r.limited)
	}
	r.following(within)(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/events", nil))
	checkSlots(t, "streams of one connection", 1, newReaders(1).following)
	checkSlots(t, "streams of any connections", maxStreams, newReaders(0).following)
}

// checkSlots checks how many responses may be in flight at a time.
func checkSlots(t *testing.T, of string, slots int, limited func(http.HandlerFunc) http.HandlerFunc) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/v1/events", nil)
	serve := func(handler http.HandlerFunc) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		limited(handler)(w, request)
		return w
	}
	var nest func(depth int) http.HandlerFunc
	nest = func(depth int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			inner := serve(nest(depth + 1))
			if full := depth == slots; full != (inner.Code == http.StatusTooManyRequests) || full != (inner.Header().Get("Retry-After") != "") {
				t.Errorf("%s: with %d responses in flight: status %d", of, depth, inner.Code)
			}
			w.WriteHeader(http.StatusOK)
		}
	}
	for range 2 { // the slots are released
		if w := serve(nest(1)); w.Code != http.StatusOK {
			t.Errorf("%s: with all slots free: status %d", of, w.Code)
		}
	}
}

func TestResponsesShareARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReaders(0)
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		r.limited(func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				if _, err := w.Write(make([]byte, 4*rateUnit)); err != nil {
					t.Error(err)
				}
			}
		})(w, httptest.NewRequest(http.MethodGet, "/v1/events", nil))
		const size = 40 * rateUnit
		if w.Body.Len() != size {
			t.Errorf("%d of %d bytes were written", w.Body.Len(), size)
		}
		if took, least := time.Since(began), time.Second*(size-2*rateUnit)/readRate; took < least || took > 2*least {
			t.Errorf("the response took %s, want %s", took, least)
		}
		if last := w.until[len(w.until)-1]; !last.Equal(time.Now().Add(stallTimeout)) || len(w.until) < 40 {
			t.Errorf("the write deadline was set %d times, last to %s", len(w.until), last)
		}
	})
}

// Pages of the cache wait for each other; a client that leaves does not wait.
func TestListsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReaders(0)
		reading, most, done := 0, 0, make(chan error)
		var mu sync.Mutex
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			reading += n
			most = max(most, reading)
		}
		read := func() error {
			count(1)
			time.Sleep(time.Second)
			count(-1)
			return nil
		}
		const lists = 3 * maxLists
		for range lists {
			go func() { done <- r.listing(t.Context(), read) }()
		}
		synctest.Wait()
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := r.listing(gone, read); err == nil {
			t.Error("a list was read for a client that is gone")
		}
		for range lists {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most != maxLists {
			t.Errorf("%d lists were read at a time", most)
		}
	})
}
