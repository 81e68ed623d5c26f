package streams_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

func TestConcurrentEnsureCreatesStreamsOnce(t *testing.T) {
	server := brokertest.Start(t)
	config := streams.Config{Names: event.NewNames("Acme-1"), Replicas: 1, Create: true}
	var wg sync.WaitGroup
	for range 8 {
		_, js := server.Connect()
		wg.Go(func() {
			if err := streams.Ensure(t.Context(), js, config); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, js := server.Connect()
	for _, name := range []string{"ACME-1_EVENTS", "KV_acme-1_state", "ACME-1_UNAPPLIED"} {
		if _, err := js.Stream(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := js.KeyValue(t.Context(), "acme-1_state"); err != nil {
		t.Errorf("the state bucket is not a key-value bucket: %v", err)
	}
	config.Create = false
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Errorf("verify: %v", err)
	}
}

func TestEnsureWithoutCreateFailsOnMissingStreams(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1})
	if missing, ok := errors.AsType[*streams.MissingError](err); !ok || missing.Stream != "MKIO_EVENTS" || !strings.Contains(err.Error(), "MKIO_EVENTS does not exist") {
		t.Errorf("error %v", err)
	}
}

func TestIncompatibleStreamIsReportedAndNotChanged(t *testing.T) {
	tests := []struct {
		name string
		is   jetstream.StreamConfig
		want []string
	}{
		{
			"deletes are possible",
			jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, AllowDirect: true, AllowAtomicPublish: true},
			[]string{"deny_delete is false, must be true", "deny_purge is false"},
		},
		{
			"other subjects, old events go with new ones",
			jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.job.>"}, MaxMsgsPerSubject: 1, DenyDelete: true, DenyPurge: true, AllowDirect: true, AllowAtomicPublish: true},
			[]string{"subjects is [mkio.job.>], must be [mkio.>]", "max_msgs_per_subject is 1, must be -1"},
		},
		{
			"in memory, new events refused when full",
			jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, Storage: jetstream.MemoryStorage, Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true, AllowDirect: true, AllowAtomicPublish: true},
			[]string{"storage is Memory", "discard is DiscardNew"},
		},
		{
			"a state bucket that clients can write to",
			jetstream.StreamConfig{Name: "KV_mkio_state", Subjects: []string{"$KV.mkio_state.>"}, MaxMsgsPerSubject: 1, MaxAge: time.Hour, Discard: jetstream.DiscardNew, DenyDelete: true, AllowDirect: true},
			[]string{"sources is [], must be [MKIO_EVENTS: mkio.", "max_age is 1h0m0s, must be 0s"},
		},
		{
			"old deliveries go when new ones come",
			jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"mkio-unapplied.>"}, AllowDirect: true},
			[]string{"discard is DiscardOld, must be DiscardNew"},
		},
		{
			"acknowledged before it is written",
			jetstream.StreamConfig{Name: "MKIO_UNAPPLIED", Subjects: []string{"mkio-unapplied.>"}, Discard: jetstream.DiscardNew, AllowDirect: true, PersistMode: jetstream.AsyncPersistMode},
			[]string{"persist_mode is"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, js := brokertest.Start(t).Connect()
			stream, err := js.CreateStream(t.Context(), tt.is)
			if err != nil {
				t.Fatal(err)
			}
			before := stream.CachedInfo().Config
			err = streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true})
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tt.is.Name) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			info, err := stream.Info(t.Context())
			if err != nil || info.Config.DenyDelete != before.DenyDelete || info.Config.MaxAge != before.MaxAge {
				t.Errorf("the stream was changed: %+v, %v", info.Config, err)
			}
		})
	}
}

// Settings that the operator may choose are not compared.
func TestOperatorMayChooseLimits(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "MKIO_EVENTS", Description: "ours", Subjects: []string{"mkio.>"}, MaxAge: time.Hour, MaxBytes: 1 << 30,
		DenyDelete: true, DenyPurge: true, AllowDirect: true, AllowAtomicPublish: true, Compression: jetstream.NoCompression,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Error(err)
	}
}

func TestTooManyReplicasIsAReplicasError(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 3, Create: true})
	if replicas, ok := errors.AsType[*streams.ReplicasError](err); !ok || replicas.Stream != "MKIO_EVENTS" || replicas.Replicas != 3 {
		t.Errorf("error %v", err)
	}
}
