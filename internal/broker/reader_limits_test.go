package broker_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
)

// streamWithMessages creates a stream S with some messages of a size.
func streamWithMessages(t *testing.T, js jetstream.JetStream, count, size int) jetstream.Stream {
	t.Helper()
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowDirect: true, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if _, err := js.PublishAsync(fmt.Sprint("s.", i), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	return s
}

func TestReaderLimit(t *testing.T) {
	c := config(t.TempDir())
	c.MaxReaders = 2
	e := start(t, c)
	first := reader(t, e)
	reader(t, e)
	if nc, err := nats.Connect("nats://" + e.Addr()); err == nil || !strings.Contains(err.Error(), "maximum connections") {
		t.Errorf("a third reader: %v", err)
		if err == nil {
			nc.Close()
		}
	}
	owner(t, e) // does not count
	first.Close()
	bridgetest.Eventually(t, "another reader can connect", func() bool {
		nc, err := nats.Connect("nats://" + e.Addr())
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
}

// Requests for missing streams and consumers get "no responders" at once, as from the server itself: clients rely on that.
func TestMissingStreamsAndConsumersHaveNoResponders(t *testing.T) {
	e := start(t, config(t.TempDir()))
	streamWithMessages(t, owner(t, e), 1, 1)
	nc := reader(t, e)
	for _, subject := range []string{
		"$JS.API.CONSUMER.MSG.NEXT.S.nobody", "$JS.API.CONSUMER.MSG.NEXT.NONE.nobody", "$JS.API.DIRECT.GET.NONE", "$JS.API.DIRECT.GET.NONE.s.1",
	} {
		if _, err := nc.Request(subject, nil, 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

// A stream that does not allow direct gets responds to a get through the API; for a missing stream the server does.
func TestMsgGetIsAnsweredByTheAPI(t *testing.T) {
	e := start(t, config(t.TempDir()))
	js := owner(t, e)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PLAIN", Subjects: []string{"p.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "p.a", []byte("here")); err != nil {
		t.Fatal(err)
	}
	nc := reader(t, e)
	for stream, want := range map[string]string{"PLAIN": `"message"`, "NONE": `"error"`} {
		for range 20 { // the order of concurrent responses varies
			m, err := nc.Request("$JS.API.STREAM.MSG.GET."+stream, []byte(`{"seq":1}`), 10*time.Second)
			if err != nil || !strings.Contains(string(m.Data), want) {
				t.Fatalf("%s: %v, %v", stream, m, err)
			}
		}
	}
}

// The limit of readers' consumers leaves capacity for the bridge's own.
func TestReaderConsumerLimit(t *testing.T) {
	e := start(t, config(t.TempDir()))
	js := owner(t, e)
	s := streamWithMessages(t, js, 1, 1)
	read, err := stream(t, reader(t, e)).Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	for i := range broker.ReaderConsumerLimit {
		if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: fmt.Sprint("c", i), MemoryStorage: true}); err != nil {
			t.Fatal(i, err)
		}
	}
	_, err = read.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: "another"})
	if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10026 {
		t.Errorf("a reader creates another consumer: %v", err)
	}
	if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: "own"}); err != nil {
		t.Errorf("the bridge creates another consumer: %v", err)
	}
}

// A batch get of the whole stream ends early, and returns the number of pending messages.
func TestBatchGetIsLimited(t *testing.T) {
	e := start(t, config(t.TempDir()))
	streamWithMessages(t, owner(t, e), 100, 100<<10)
	nc := reader(t, e)
	replies, err := nc.SubscribeSync("_INBOX.many")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("$JS.API.DIRECT.GET.S", "_INBOX.many", []byte(`{"seq":1,"batch":1000000,"max_bytes":1000000000000}`)); err != nil {
		t.Fatal(err)
	}
	for count := 0; ; count++ {
		m, err := replies.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Status") == "204" {
			if left := m.Header.Get("Nats-Num-Pending"); count > 20 || left == "0" {
				t.Errorf("the batch ends after %d messages, with %s pending", count, left)
			}
			return
		}
	}
}

// A reader that requests everything and reads nothing is disconnected.
func TestStalledReaderIsDisconnected(t *testing.T) {
	e := start(t, config(t.TempDir()))
	streamWithMessages(t, owner(t, e), 400, 100<<10) // less than the server's own pending limit
	conn, err := net.Dial("tcp", e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	const request = `{"stream_name":"S","config":{"name":"slow","deliver_subject":"_INBOX.slow","ack_policy":"none"}}`
	_, err = fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.slow 1\r\nPUB $JS.API.CONSUMER.CREATE.S.slow _INBOX.unused %d\r\n%s\r\n", len(request), request)
	if err != nil {
		t.Fatal(err)
	}
	bridgetest.Eventually(t, "the reader is disconnected", func() bool { return e.Readers() == 0 })
	if n, _ := io.Copy(io.Discard, conn); n > 20<<20 {
		t.Errorf("%d bytes were sent to the reader", n)
	}
}
