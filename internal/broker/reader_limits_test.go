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

// filled makes a stream S with so many messages of a size.
func filled(t *testing.T, js jetstream.JetStream, count, size int) jetstream.Stream {
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

func TestAReaderTooManyIsRefused(t *testing.T) {
	c := config(t.TempDir())
	c.Readers = 2
	e := start(t, c)
	first := reader(t, e)
	reader(t, e)
	if nc, err := nats.Connect("nats://" + e.Addr()); err == nil || !strings.Contains(err.Error(), "maximum connections") {
		t.Errorf("a third reader: %v", err)
		if err == nil {
			nc.Close()
		}
	}
	owner(t, e) // is no reader
	first.Close()
	bridgetest.Eventually(t, "another reader comes in", func() bool {
		nc, err := nats.Connect("nats://" + e.Addr())
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
}

// What is not there is answered at once, as the server does it: clients rest on that.
func TestNobodyAnswersForWhatIsNotThere(t *testing.T) {
	e := start(t, config(t.TempDir()))
	filled(t, owner(t, e), 1, 1)
	nc := reader(t, e)
	for _, subject := range []string{
		"$JS.API.CONSUMER.MSG.NEXT.S.nobody", "$JS.API.CONSUMER.MSG.NEXT.NONE.nobody", "$JS.API.DIRECT.GET.NONE", "$JS.API.DIRECT.GET.NONE.s.1",
	} {
		if _, err := nc.Request(subject, nil, 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

// A stream that allows no direct gets answers the other kind, and so does the server for a stream that is not there.
func TestGetsByTheApiAreAnsweredByIt(t *testing.T) {
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
		for range 20 { // whichever comes first
			m, err := nc.Request("$JS.API.STREAM.MSG.GET."+stream, []byte(`{"seq":1}`), 10*time.Second)
			if err != nil || !strings.Contains(string(m.Data), want) {
				t.Fatalf("%s: %v, %v", stream, m, err)
			}
		}
	}
}

// Readers may have no more consumers than leave the bridge room for its own.
func TestReadersDoNotTakeAllConsumers(t *testing.T) {
	e := start(t, config(t.TempDir()))
	js := owner(t, e)
	s := filled(t, js, 1, 1)
	read, err := stream(t, reader(t, e)).Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	for i := range broker.MostConsumers {
		if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: fmt.Sprint("c", i), MemoryStorage: true}); err != nil {
			t.Fatal(i, err)
		}
	}
	_, err = read.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: "another"})
	if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10026 {
		t.Errorf("a reader makes another consumer: %v", err)
	}
	if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Name: "own"}); err != nil {
		t.Errorf("the bridge makes another consumer: %v", err)
	}
}

// A get that would have the whole stream sent at once ends sooner, and says how much is left.
func TestAGetOfManyEndsSooner(t *testing.T) {
	e := start(t, config(t.TempDir()))
	filled(t, owner(t, e), 100, 100<<10)
	nc := reader(t, e)
	answers, err := nc.SubscribeSync("_INBOX.many")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("$JS.API.DIRECT.GET.S", "_INBOX.many", []byte(`{"seq":1,"batch":1000000,"max_bytes":1000000000000}`)); err != nil {
		t.Fatal(err)
	}
	for count := 0; ; count++ {
		m, err := answers.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Status") == "204" {
			if left := m.Header.Get("Nats-Num-Pending"); count > 20 || left == "0" {
				t.Errorf("it ends after %d messages, and %s are left", count, left)
			}
			return
		}
	}
}

// Who asks for everything and reads nothing is disconnected.
func TestAReaderWhoDoesNotReadIsDisconnected(t *testing.T) {
	e := start(t, config(t.TempDir()))
	filled(t, owner(t, e), 400, 100<<10) // less than the server itself would let wait
	conn, err := net.Dial("tcp", e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	const request = `{"stream_name":"S","config":{"name":"slow","deliver_subject":"_INBOX.slow","ack_policy":"none"}}`
	_, err = fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.slow 1\r\nPUB $JS.API.CONSUMER.CREATE.S.slow _INBOX.nobody %d\r\n%s\r\n", len(request), request)
	if err != nil {
		t.Fatal(err)
	}
	bridgetest.Eventually(t, "the reader is disconnected", func() bool { return e.Readers() == 0 })
	if n, _ := io.Copy(io.Discard, conn); n > 20<<20 {
		t.Errorf("%d bytes were sent to it", n)
	}
}
