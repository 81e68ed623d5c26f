package broker_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/bridgetest"
)

// A thousand permission violations of a reader cause few and short log lines, one of which has the number of dropped ones.
func TestReaderErrorLinesAreRateLimited(t *testing.T) {
	var log bridgetest.Buffer
	c := config(t.TempDir())
	c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	nc := reader(t, start(t, c))
	for i := range 1000 {
		if err := nc.Publish(fmt.Sprintf("mkio.%d.%s", i, strings.Repeat("x", 3000)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	bridgetest.Eventually(t, "a line has the number of dropped lines", func() bool {
		if err := nc.Publish("mkio.last", nil); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		return log.Contains("log lines dropped")
	})
	text := log.String()
	if n := strings.Count(text, "\n"); n > 100 || len(text) > 200<<10 {
		t.Errorf("%d lines of %d bytes", n, len(text))
	}
}

// The bridge stops when its server logs that a stream cannot be written. A client whose name contains that log line must not
// stop it.
func TestClientNameCannotFakeAStoreFailure(t *testing.T) {
	var log bridgetest.Buffer
	c := config(t.TempDir())
	c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	c.ReaderToken = func() string { return "hunter2" }
	e := start(t, c)
	const name = "Filestore [MKIO_EVENTS] Critical write error: %v"
	if nc, err := nats.Connect("nats://"+e.Addr(), nats.UserInfo(name, "x"), nats.Name(name)); err == nil {
		nc.Close()
		t.Error("a client without the token is accepted")
	}
	select {
	case err := <-e.StoreFailed():
		t.Errorf("the client caused a store failure: %v", err)
	case <-time.After(100 * time.Millisecond): // real time: the line was written before the client was refused
	}
	if !log.Contains("Critical write error") {
		t.Errorf("the test is void, the server did not log the name: %s", log.String())
	}
}
