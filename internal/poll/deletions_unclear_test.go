package poll_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// halfway begins an outage in which lists lack everything, and of the addresses some answer 404 and the others so that
// nobody knows.
func (w *world) beginPartialOutage(gone func(path string) bool) {
	lost := &lostResources{lists: isList, keys: gone}
	w.transport.set(func(way *transport) {
		way.override = func(uri string) (int, string) {
			status, body := lost.respond(uri)
			path, _, _ := strings.Cut(uri, "?")
			if _, below, _ := strings.Cut(path, "/projects/"+project+"/"); status == 0 && strings.Contains(below, "/unclear-") {
				return http.StatusUnprocessableEntity, `{"error":{"code":"Unprocessable","detail":"try again later"},"status":422}`
			}
			return status, body
		}
	})
}

// Of 25 resources that a list lacks, 15 are not found and 10 cannot be read: they may all be gone, and so the 15 wait.
func TestWhatCannotBeReadCountsAmongManyDeletions(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		for i := range 15 {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprintf("gone-%d", i)), "Finished")
		}
		for i := range 10 {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprintf("unclear-%d", i)), "Finished")
		}
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.beginPartialOutage(func(path string) bool { return strings.Contains(path, "/gone-") })
		time.Sleep(2 * sweep)
		w.endOutage()
		time.Sleep(full)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted", n)
		}
		w.wantConverged()
	})
}

// The same of resources that lie on a list each.
func TestWhatCannotBeReadCountsAmongManyDeletionsBelowParents(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		for i := range 24 {
			name := fmt.Sprint("gone-", i)
			if i >= 16 {
				name = fmt.Sprint("unclear-", i)
			}
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
			w.mkio.Create(w.key(lifecycle.LiveOutput, fmt.Sprint(i), name), "Running")
		}
		w.start(lifecycle.LiveEvent, lifecycle.LiveOutput)
		time.Sleep(2 * sweep)
		w.beginPartialOutage(func(path string) bool { return strings.Contains(path, "/gone-") })
		time.Sleep(2 * sweep)
		w.endOutage()
		time.Sleep(full)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted", n)
		}
		w.wantConverged()
	})
}
