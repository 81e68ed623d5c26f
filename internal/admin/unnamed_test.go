package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// readMessages reads n messages of an event stream after its message log, and then closes the connection.
func readMessages(t *testing.T, server, query, last string, n int) (read []map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a stream without events
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", last)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	messages := newMessages(response.Body)
	if m, _ := messages.next(); response.StatusCode != http.StatusOK || m["event"] != "log" {
		t.Fatalf("%s: status %d, the first message is %v", query, response.StatusCode, m)
	}
	for len(read) < n {
		m, ok := messages.next()
		if !ok {
			t.Fatalf("%s: the stream ends after %v", query, read)
		}
		read = append(read, m)
	}
	return read
}

func TestUnnamedMessages(t *testing.T) {
	server := fixtureWithEvents(t).serve()
	read := readMessages(t, server, "?from=1&unnamed=true", "", 8)
	for i := 0; i < len(read); i += 2 {
		unnamed, named := read[i], read[i+1]
		if id := fmt.Sprint(i/2 + 1); unnamed["id"] != id || named["id"] != id || unnamed["data"] != named["data"] || unnamed["data"] == "" {
			t.Errorf("event %s is sent as %v and %v", id, unnamed, named)
		}
		if _, ok := unnamed["event"]; ok || !strings.HasPrefix(named["event"], "mkio.") {
			t.Errorf("event %d is named %q and %q", i/2+1, unnamed["event"], named["event"])
		}
	}
	for _, m := range readMessages(t, server, "?from=1&unnamed=false", "", 4) {
		if m["event"] == "" {
			t.Errorf("unnamed without being asked for: %v", m)
		}
	}
	if s := stream(t, server, "?unnamed=yes", "", -1); s.status != http.StatusBadRequest || s.problem.Detail != `unnamed: "yes" must be true or false` {
		t.Errorf("%+v", s)
	}
}

// A client with only onmessage reconnects as an EventSource does, with the id of the last message of any name. Wherever the
// connection breaks, it handles each event once.
func TestUnnamedMessagesResume(t *testing.T) {
	server := fixtureWithEvents(t).serve()
	const query, all = "?from=1&unnamed=true", "[1 2 3 4]"
	for broken := 1; broken < 8; broken++ {
		before := readMessages(t, server, query, "", broken)
		handled := unnamedIDs(before)
		after := readMessages(t, server, query, before[len(before)-1]["id"], 2*(4-len(handled)))
		if got := fmt.Sprint(append(handled, unnamedIDs(after)...)); got != all {
			t.Errorf("broken after %d messages: handled %s", broken, got)
		}
	}
}

// unnamedIDs returns the ids of the messages that onmessage gets.
func unnamedIDs(read []map[string]string) (ids []string) {
	for _, m := range read {
		if _, named := m["event"]; !named {
			ids = append(ids, m["id"])
		}
	}
	return ids
}
