package poll_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A transport is the connection of bridges to MK.IO. It can replace and change responses.
type transport struct {
	mu         sync.Mutex
	next       http.RoundTripper
	token      string                                      // of the bridges
	override   func(path string) (status int, body string) // status 0: MK.IO responds itself
	editRecord func(path string, row map[string]any)       // a record, on a list or by itself
	editBody   func(path string, top map[string]any)       // a whole response
	clockAhead time.Duration                               // of the Date of responses
	latency    time.Duration                               // of each response
}

// currentToken returns the API token of the bridges.
func (tr *transport) currentToken() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.token
}

func (tr *transport) set(change func(tr *transport)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	change(tr)
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	takes := tr.latency
	tr.mu.Unlock()
	time.Sleep(takes)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.override != nil {
		if status, body := tr.override(r.URL.RequestURI()); status != 0 {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}},
				Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		}
	}
	response, err := tr.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		response.Header.Set("Date", date.Add(tr.clockAhead).Format(http.TimeFormat))
	}
	if tr.editRecord != nil || tr.editBody != nil {
		tr.rewrite(r.URL.Path, response)
	}
	return response, nil
}

// rewrite applies editRecord and editBody to a response.
func (tr *transport) rewrite(path string, response *http.Response) {
	body, _ := io.ReadAll(response.Body)
	var top map[string]any
	if json.Unmarshal(body, &top) == nil {
		rows, ok := top["value"].([]any)
		if !ok {
			rows = []any{top}
		}
		for _, row := range rows {
			if tr.editRecord != nil {
				tr.editRecord(path, row.(map[string]any))
			}
		}
		if tr.editBody != nil {
			tr.editBody(path, top)
		}
		body, _ = json.Marshal(top)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
}

// failAt makes requests fail whose address contains part.
func failAt(part string, status int) func(*transport) {
	return func(tr *transport) {
		tr.override = func(path string) (int, string) {
			if strings.Contains(path, part) {
				return status, fmt.Sprintf(`{"error":{"code":"x","detail":"y"},"status":%d}`, status)
			}
			return 0, ""
		}
	}
}

// A fakeHistory responds for the delivery history with rows, ten on a page. It counts the pages, and the requests for the job
// named "lost".
type fakeHistory struct {
	rows           []map[string]any
	pages, lookups int
}

func (h *fakeHistory) add(at time.Time, status, job string) {
	h.rows = append(h.rows, map[string]any{
		"created": at.UTC().Format(time.RFC3339Nano), "status": status, "type": "MediaKind.JobFinished",
		"source": "/api/v1/projects/" + project + "/transforms/t/jobs/" + job,
	})
}

func (h *fakeHistory) respond(path string) (int, string) {
	if strings.HasSuffix(path, "/jobs/lost") {
		h.lookups++
	}
	path, query, _ := strings.Cut(path, "?")
	if !strings.HasSuffix(path, "/events") {
		return 0, ""
	}
	h.pages++
	from := 0
	if _, token, ok := strings.Cut(query, "skiptoken="); ok {
		from, _ = strconv.Atoi(token)
	}
	until := min(from+10, len(h.rows))
	page := map[string]any{"value": h.rows[min(from, until):until]}
	if until < len(h.rows) {
		page["@odata.nextLink"] = path + "?%24skiptoken=" + strconv.Itoa(until)
	}
	body, _ := json.Marshal(page)
	return http.StatusOK, string(body)
}
