package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The server's shutdown waits for each consumer: with 999 it took 16 seconds, after which a supervisor has killed the
// bridge. Without that wait the store stays intact.
func TestReaderConsumersDoNotDelayShutdown(t *testing.T) {
	dir := t.TempDir()
	e := start(t, config(dir))
	createStreams(t, e, owner(t, e))
	js := stream(t, reader(t, e))
	for i := range 350 { // near the limit of readers
		config := jetstream.ConsumerConfig{Name: fmt.Sprint("c", i), InactiveThreshold: time.Hour, AckPolicy: jetstream.AckExplicitPolicy}
		if _, err := js.CreateConsumer(t.Context(), "MKIO_EVENTS", config); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	e.Shutdown()
	if took := time.Since(began); took > 5*time.Second { // more than 7 s if each is awaited
		t.Errorf("the shutdown took %s", took)
	}
	<-e.Stopped()
	again := start(t, config(dir))
	log, err := owner(t, again).Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || log.CachedInfo().State.Msgs != 2 {
		t.Errorf("the log after a restart: %+v, %v", log, err)
	}
	js = stream(t, reader(t, again))
	if err := js.DeleteConsumer(t.Context(), "MKIO_EVENTS", "c349"); err != nil {
		t.Errorf("a consumer after a restart: %v", err)
	}
	for i := range 349 { // so that the end of the test does not wait for them
		if err := js.DeleteConsumer(t.Context(), "MKIO_EVENTS", fmt.Sprint("c", i)); err != nil {
			t.Fatal(err)
		}
	}
}
