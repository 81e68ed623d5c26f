package streams_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/streams"
)

// A bridge works without the bucket of the progress of jobs: neither its absence nor its settings are an error of the streams.
func TestTheProgressBucketIsOptional(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	config := streams.Config{Names: names, Replicas: 1, Create: true, Progress: true}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	for _, s := range streams.Inspect(t.Context(), js, config) {
		if s.Optional || s.Err != nil {
			t.Errorf("inspected: %+v", s)
		}
	}
	if s := progressState(t, js, config); !s.Optional || !s.Missing {
		t.Errorf("before: %+v", s)
	}
	watcher := streams.NewWatcher(js, config, time.Hour, slog.New(slog.DiscardHandler))
	result := watcher.Query(t.Context())
	watcher.Record(result)
	if err := watcher.Err(); err != nil || !result.Complete() {
		t.Errorf("the watcher reports %v", err)
	}
	if err := streams.TryProgressWrite(t.Context(), js, config); err == nil {
		t.Error("a test write to a missing bucket succeeded")
	}
	if _, err := streams.EnsureProgress(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if s := progressState(t, js, config); !s.Optional || s.Err != nil {
		t.Errorf("after: %+v", s)
	}
	if err := streams.TryProgressWrite(t.Context(), js, config); err != nil {
		t.Error(err)
	}
}

func progressState(t *testing.T, js jetstream.JetStream, config streams.Config) (found streams.State) {
	t.Helper()
	for _, s := range streams.Verify(t.Context(), js, config) {
		if s.Name == "KV_mkio_progress" {
			found = s
		} else if s.Optional {
			t.Errorf("%+v", s)
		}
	}
	return found
}

func TestAnOperatorMayCreateTheProgressBucket(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	verify := streams.Config{Names: names, Replicas: 1}
	_, err := streams.EnsureProgress(t.Context(), js, verify)
	if _, missing := errors.AsType[*streams.MissingError](err); !missing {
		t.Errorf("error %v", err)
	}
	for name, tt := range map[string]struct {
		bucket jetstream.KeyValueConfig
		want   string
	}{
		"in a file":      {jetstream.KeyValueConfig{Bucket: "mkio_progress", TTL: time.Minute}, ""},
		"in memory":      {jetstream.KeyValueConfig{Bucket: "mkio_progress", TTL: time.Hour, Storage: jetstream.MemoryStorage}, ""},
		"without expiry": {jetstream.KeyValueConfig{Bucket: "mkio_progress", Storage: jetstream.MemoryStorage}, "max_age is 0s"},
		"with a history": {jetstream.KeyValueConfig{Bucket: "mkio_progress", TTL: time.Hour, History: 5}, "max_msgs_per_subject is 5"},
	} {
		if _, err := js.CreateKeyValue(t.Context(), tt.bucket); err != nil {
			t.Fatal(err)
		}
		_, err := streams.EnsureProgress(t.Context(), js, verify)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := js.DeleteKeyValue(t.Context(), tt.bucket.Bucket); err != nil {
			t.Fatal(err)
		}
	}
}

// The bucket has a size limit where the account requires one, and does not count towards what is needed on disk.
func TestTheProgressBucketHasASizeLimit(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	info, err := streams.EnsureProgress(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true, MaxBytes: 1 << 20})
	if err != nil || info.Config.MaxBytes != 1<<20 || info.Config.Storage != jetstream.MemoryStorage {
		t.Errorf("%+v, %v", info, err)
	}
}
