package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
)

// Ensure creates the streams that are missing; without [Config].Create that is an error. A stream that exists is never
// changed: one that would break the bridge's promise is an error that says why.
func Ensure(ctx context.Context, js jetstream.JetStream, c Config) error {
	for _, want := range c.all() {
		if err := ensureAlone(ctx, js, want, c); err != nil {
			return err
		}
	}
	return nil
}

// unfit is the error of a stream that exists and is not as the bridge needs it.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// ensureAlone finds or creates a stream and checks it. It also finds out why an answer does not come, and does not wait for
// one that the servers do not allow. Only one may run at a time on a connection, because for that it takes over the
// connection's error handler ([noanswer.UntilForbidden]); [inspect] has no such limit.
func ensureAlone(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, c Config) error {
	asking, stop := noanswer.UntilForbidden(ctx, js.Conn(), want.Name)
	defer stop()
	info, err := find(asking, js, want, c.Create)
	if err != nil {
		return typed(want, noanswer.Why(ctx, js, err, want.Name), c)
	}
	return fits(want, info)
}

// inspect finds a stream and checks it. It returns the stream also with an [unfit] error, and nil with any other.
func inspect(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, c Config) (*jetstream.StreamInfo, error) {
	info, err := find(ctx, js, want, false)
	if err != nil {
		return nil, typed(want, err, c)
	}
	return info, fits(want, info)
}

// find returns a stream as it was found or created.
func find(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, create bool) (*jetstream.StreamInfo, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && create {
		stream, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another bridge was first
			stream, err = js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// fits returns an [unfit] error when a stream is not as the bridge needs it.
func fits(want jetstream.StreamConfig, info *jetstream.StreamInfo) error {
	if wrong := differences(want, info.Config); len(wrong) > 0 {
		return unfit{fmt.Errorf("stream %s is not as the bridge needs it, and the bridge does not change a stream that exists: %s",
			want.Name, strings.Join(wrong, "; "))}
	}
	return nil
}

// A MissingError is for a stream that does not exist, and that was not to be created.
type MissingError struct {
	Stream string
	err    error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("stream %s does not exist: %v", e.Stream, e.err)
}

func (e *MissingError) Unwrap() error { return e.err }

// A ReplicasError is for a stream that is to have more replicas than the cluster has servers for it.
type ReplicasError struct {
	Stream   string
	Replicas int
	err      error
}

func (e *ReplicasError) Error() string {
	return fmt.Sprintf("stream %s cannot have %d replicas: %v", e.Stream, e.Replicas, e.err)
}

func (e *ReplicasError) Unwrap() error { return e.err }

// typed turns the error of a stream that could not be found or created into the type that says why, as far as that is known.
func typed(want jetstream.StreamConfig, err error, c Config) error {
	if size := c.sizeError(want, err); size != nil {
		return size
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return &MissingError{want.Name, err}
	case Refused(err, codeReplicas), Refused(err, codeNoPeers):
		return &ReplicasError{want.Name, want.Replicas, err}
	}
	return fmt.Errorf("stream %s: %w", want.Name, err)
}

// differences lists what of a stream would break the bridge's promise. Limits of size and age, replicas, placement and
// compression are the operator's choice.
func differences(want, is jetstream.StreamConfig) []string {
	var wrong []string
	check := func(field string, want, is any) {
		if w, i := fmt.Sprint(want), fmt.Sprint(is); w != i {
			wrong = append(wrong, fmt.Sprintf("%s is %s, it must be %s", field, i, w))
		}
	}
	check("subjects", sorted(want.Subjects), sorted(is.Subjects))
	check("retention", want.Retention, is.Retention)
	check("discard", want.Discard, is.Discard)
	check("storage", want.Storage, is.Storage)
	check("max_msgs_per_subject", want.MaxMsgsPerSubject, is.MaxMsgsPerSubject)
	check("max_msg_size", want.MaxMsgSize, is.MaxMsgSize)
	check("deny_purge", want.DenyPurge, is.DenyPurge)
	check("allow_direct", want.AllowDirect, is.AllowDirect)
	check("allow_atomic", want.AllowAtomicPublish, is.AllowAtomicPublish)
	check("allow_rollup_hdrs", want.AllowRollup, is.AllowRollup)
	check("allow_msg_ttl", want.AllowMsgTTL, is.AllowMsgTTL)
	check("persist_mode", want.PersistMode, is.PersistMode)
	check("no_ack", false, is.NoAck)
	check("sealed", false, is.Sealed)
	check("mirror", false, is.Mirror != nil)
	check("subject_transform", false, is.SubjectTransform != nil)
	check("sources", sources(want), sources(is))
	if want.DenyDelete {
		check("deny_delete", true, is.DenyDelete)
	}
	// The entries of a bucket must not expire. Those of the lease bucket must, after whatever time.
	if want.MaxMsgsPerSubject == 1 && (want.MaxAge == 0 || is.MaxAge == 0) {
		check("max_age", want.MaxAge, is.MaxAge)
	}
	return wrong
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// sources writes a stream's sources as sorted lines, which can be compared.
func sources(c jetstream.StreamConfig) []string {
	var all []string
	for _, s := range c.Sources {
		for _, t := range s.SubjectTransforms {
			all = append(all, s.Name+": "+t.Source+" to "+t.Destination)
		}
		if len(s.SubjectTransforms) == 0 {
			all = append(all, s.Name)
		}
	}
	return sorted(all)
}
