package poll_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// beginPartialOutage begins an outage in which lists are empty. Of the addresses, those that gone selects respond 404, and
// those of names that begin with "unclear-" respond 422.
func (w *world) beginPartialOutage(gone func(path string) bool) {
	lost := &lostResources{lists: isList, keys: gone}
	w.transport.set(func(tr *transport) {
		tr.override = func(uri string) (int, string) {
			status, body := lost.respond(uri)
			path, _, _ := strings.Cut(uri, "?")
			if _, below, _ := strings.Cut(path, "/projects/"+project+"/"); status == 0 && strings.Contains(below, "/unclear-") {
				return http.StatusUnprocessableEntity, `{"error":{"code":"Unprocessable","detail":"try again later"},"status":422}`
			}
			return status, body
		}
	})
}

// Of 25 missing resources, 15 respond 404 and 10 respond 422: all may be gone, so the 15 wait.
func TestUnclearResourcesCountTowardsManyDeletions(t *testing.T) {
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

// The same, with each resource on a separate list.
func TestUnclearResourcesCountTowardsManyDeletionsBelowParents(t *testing.T) {
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
