package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
)

// jobDelivery is a delivery of a job of a name that may be anything, as MK.IO would percent-encode it.
func jobDelivery(t *testing.T, segment, state string, change func(delivery map[string]any)) []byte {
	t.Helper()
	delivery := map[string]any{
		"specversion": "1.0", "id": "d-" + segment[:min(len(segment), 40)], "type": "MediaKind.JobFinished", "time": "2031-03-04T10:00:00Z",
		"source": "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/" + segment,
		"data":   map[string]any{"projectName": "aurora-vod", "state": state},
	}
	if change != nil {
		change(delivery)
	}
	body, err := json.Marshal(delivery)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// rawDelivery is an authenticated request as it is on the wire; headers end in CR LF.
func rawDelivery(headers string, body []byte) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		webhookPath, demoSecret, headers, len(body), body)
}

// sendRaw writes bytes and returns all that is answered until the bridge ends the connection, which it must do.
func sendRaw(t *testing.T, addr, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, raw) }() // the bridge need not read all of it
	return readToEnd(t, conn)
}

func readToEnd(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the bridge does not end the connection; it answered %q", answer)
	}
	return string(answer)
}

// statusOf is the status of the first answer; 0 for none.
func statusOf(answers string) (status int) {
	_, _ = fmt.Sscanf(answers, "HTTP/1.1 %d", &status)
	return status
}

// jobNames returns the names of the jobs in the log.
func jobNames(t *testing.T, b *bridge) (names []string) {
	t.Helper()
	for e, err := range b.events.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Event.Data.Name)
	}
	return names
}

// checkDelivers makes a delivery on a connection of its own.
func checkDelivers(t *testing.T, addr string, body []byte) {
	t.Helper()
	if answer := sendRaw(t, addr, rawDelivery("Connection: close\r\n", body)); statusOf(answer) != http.StatusNoContent {
		t.Errorf("a delivery is answered %q", answer)
	}
}

func chunked(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	return b.String() + "0\r\n\r\n"
}
