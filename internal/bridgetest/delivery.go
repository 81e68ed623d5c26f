package bridgetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// webhookPath is where a bridge takes deliveries.
const webhookPath = "/webhooks/mkio"

// Delivery is the body of one of MK.IO's deliveries, from a file of internal/mkio/testdata/webhooks.
func Delivery(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(Repository(filepath.Join("internal/mkio/testdata/webhooks", file)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// DeliveryOf is [Delivery] of a job of another name; its id is another too.
func DeliveryOf(t testing.TB, file, job string) []byte {
	t.Helper()
	body := bytes.ReplaceAll(Delivery(t, file), []byte("ep-0417"), []byte(job))
	return bytes.ReplaceAll(body, []byte("fcaab4a4-433f-591d-baeb-a98c8b9d503a"), []byte("delivery-of-"+job))
}

// JobDelivery is a delivery of a job's state that may be hostile: the segment of the path that names the job is used as it
// is, and change edits the delivery.
func JobDelivery(t testing.TB, segment, state string, change func(delivery map[string]any)) []byte {
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

// RawDelivery is the bytes of a request that delivers a body; each header ends in CR LF.
func RawDelivery(secret, headers string, body []byte) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		webhookPath, secret, headers, len(body), body)
}

// SendRaw sends bytes on a new connection and returns all that is answered. The test fails when the bridge does not close
// the connection.
func SendRaw(t testing.TB, addr, raw string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()              // the bridge has closed it
	go func() { _, _ = io.WriteString(conn, raw) }() // the bridge need not read all of it
	return ReadToEnd(t, conn)
}

// ReadToEnd reads a connection until the bridge closes it, and fails the test when it does not.
func ReadToEnd(t testing.TB, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the bridge does not close the connection; it answered %q", answer)
	}
	return string(answer)
}

// StatusOf is the status of the first of some raw answers; 0 when there is none.
func StatusOf(answers string) (status int) {
	_, _ = fmt.Sscanf(answers, "HTTP/1.1 %d", &status) // what is no answer has no status
	return status
}

// CheckDelivers makes a delivery on a new connection, which must be stored.
func CheckDelivers(t testing.TB, addr, secret string, body []byte) {
	t.Helper()
	if answer := SendRaw(t, addr, RawDelivery(secret, "Connection: close\r\n", body)); StatusOf(answer) != http.StatusNoContent {
		t.Errorf("a delivery is answered %q", answer)
	}
}
