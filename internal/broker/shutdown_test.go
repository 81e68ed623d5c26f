package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A stop waited for each consumer that readers had made: 999 of them made it last 16 seconds, and what had stopped the
// bridge would kill it meanwhile. The store is whole all the same.
func TestReadersConsumersDoNotProlongAStop(t *testing.T) {
	dir := t.TempDir()
	e := start(t, config(dir))
	fill(t, e, owner(t, e))
	js := stream(t, reader(t, e))
	for i := range 350 { // readers may have few more
		config := jetstream.ConsumerConfig{Name: fmt.Sprint("c", i), InactiveThreshold: time.Hour, AckPolicy: jetstream.AckExplicitPolicy}
		if _, err := js.CreateConsumer(t.Context(), "MKIO_EVENTS", config); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	e.Shutdown()
	if took := time.Since(began); took > 5*time.Second { // 7 s and more when each is waited for
		t.Errorf("the stop took %s", took)
	}
	<-e.Stopped()
	again := start(t, config(dir))
	log, err := owner(t, again).Stream(t.Context(), "MKIO_EVENTS")
	if err != nil || log.CachedInfo().State.Msgs != 2 {
		t.Errorf("the log after it: %+v, %v", log, err)
	}
	js = stream(t, reader(t, again))
	if err := js.DeleteConsumer(t.Context(), "MKIO_EVENTS", "c349"); err != nil {
		t.Errorf("a consumer after it: %v", err)
	}
	for i := range 349 { // so that the end of the test does not wait for them
		if err := js.DeleteConsumer(t.Context(), "MKIO_EVENTS", fmt.Sprint("c", i)); err != nil {
			t.Fatal(err)
		}
	}
}
