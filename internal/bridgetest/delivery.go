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

// webhookPath is the path of the webhook listener.
const webhookPath = "/webhooks/mkio"

// Delivery returns the body of a delivery of MK.IO, from a file in internal/mkio/testdata/webhooks.
func Delivery(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(RepositoryPath(filepath.Join("internal/mkio/testdata/webhooks", file)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// DeliveryOfJob is [Delivery] for a job of another name, with another delivery id.
func DeliveryOfJob(t testing.TB, file, job string) []byte {
	t.Helper()
	body := bytes.ReplaceAll(Delivery(t, file), []byte("ep-0417"), []byte(job))
	return bytes.ReplaceAll(body, []byte("fcaab4a4-433f-591d-baeb-a98c8b9d503a"), []byte("delivery-of-"+job))
}

// JobDelivery returns a delivery of a job's state that may be hostile: segment is the unescaped path segment of the job's
// name, and change edits the delivery.
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

// RawDelivery returns the bytes of a delivery's request; each header must end in CR LF.
func RawDelivery(secret, headers string, body []byte) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		webhookPath, secret, headers, len(body), body)
}

// SendRaw sends bytes on a new connection and returns the responses. The test fails if the bridge does not close the
// connection.
func SendRaw(t testing.TB, addr, raw string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()              // already closed by the bridge
	go func() { _, _ = io.WriteString(conn, raw) }() // the bridge need not read all of it
	return ReadToEnd(t, conn)
}

// ReadToEnd reads a connection until the bridge closes it, and fails the test if it does not.
func ReadToEnd(t testing.TB, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(eventuallyTimeout)); err != nil {
		t.Fatal(err)
	}
	response, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the bridge does not close the connection; response %q", response)
	}
	return string(response)
}

// StatusOf returns the status of the first of some raw responses; 0 if there is none.
func StatusOf(responses string) (status int) {
	_, _ = fmt.Sscanf(responses, "HTTP/1.1 %d", &status) // without a response the status is 0
	return status
}

// CheckDelivers sends a delivery on a new connection, which must be stored.
func CheckDelivers(t testing.TB, addr, secret string, body []byte) {
	t.Helper()
	if response := SendRaw(t, addr, RawDelivery(secret, "Connection: close\r\n", body)); StatusOf(response) != http.StatusNoContent {
		t.Errorf("response to a delivery: %q", response)
	}
}
