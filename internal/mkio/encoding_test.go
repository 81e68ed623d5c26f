package mkio

import (
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestResponsesWithByteOrderMark(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/jobs/none") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("\ufeff" + `{"error":{"code":"NotFound","detail":"no such job"},"status":404}`))
			return
		}
		_, _ = w.Write([]byte("\ufeff" + string(readFile(t, "records/job.finished.json"))))
	})
	job := func(name string) lifecycle.Key {
		key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", name)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	snapshot, err := c.Get(t.Context(), Urgent, job("ep-0417"))
	if err != nil || snapshot.State != "Finished" {
		t.Errorf("state %q, %v", snapshot.State, err)
	}
	if _, err := c.Get(t.Context(), Urgent, job("none")); !IsNotFound(err) {
		t.Errorf("404 with a byte order mark: %v", err)
	}
}

func TestUTF16ResponseIsRefusedByName(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\xff\xfe{\x00}\x00")) })
	if _, err := c.Projects(t.Context()); err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("the error is %v", err)
	}
}
