package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// deadlines is a writer that notes until when it may write.
type deadlines struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlines) SetWriteDeadline(until time.Time) error {
	d.until = append(d.until, until)
	return nil
}

func TestLongAnswersHaveSoManyPlaces(t *testing.T) {
	r := newReaders()
	request := httptest.NewRequest(http.MethodGet, "/v1/events", nil)
	ask := func(answer http.HandlerFunc) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r.limited(answer)(w, request)
		return w
	}
	var nest func(depth int) http.HandlerFunc
	nest = func(depth int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			inner := ask(nest(depth + 1))
			if full := depth == maxReaders; full != (inner.Code == http.StatusTooManyRequests) || full != (inner.Header().Get("Retry-After") != "") {
				t.Errorf("beside %d answers another request is answered %d", depth, inner.Code)
			}
			w.WriteHeader(http.StatusOK)
		}
	}
	for range 2 { // the slots are released
		if w := ask(nest(1)); w.Code != http.StatusOK {
			t.Errorf("with all slots free: status %d", w.Code)
		}
	}
}

func TestLongAnswersAreWrittenInTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReaders()
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		r.limited(func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				if _, err := w.Write(make([]byte, 4*paceUnit)); err != nil {
					t.Error(err)
				}
			}
		})(w, httptest.NewRequest(http.MethodGet, "/v1/events", nil))
		const size = 40 * paceUnit
		if w.Body.Len() != size {
			t.Errorf("%d bytes came of %d", w.Body.Len(), size)
		}
		if took, least := time.Since(began), time.Second*(size-2*paceUnit)/readRate; took < least || took > 2*least {
			t.Errorf("it took %s, not %s", took, least)
		}
		if last := w.until[len(w.until)-1]; !last.Equal(time.Now().Add(stallTime)) || len(w.until) < 40 {
			t.Errorf("the time to write was put off %d times, at last until %s", len(w.until), last)
		}
	})
}
