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

// Ensure creates missing streams; without [Config].Create a missing stream is an error. A stream that exists is never
// changed: one that would break the bridge's promise is an error that says why.
func Ensure(ctx context.Context, js jetstream.JetStream, c Config) error {
	for _, want := range c.all() {
		if err := ensureStream(ctx, js, want, c); err != nil {
			return err
		}
	}
	return nil
}

// configError is the error of a stream that exists with a configuration that the bridge cannot use.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

// ensureStream gets or creates a stream and checks it. Unlike [inspect] it fails at once when the servers forbid the
// request, and explains a missing response. For that it replaces the connection's error handler
// ([noanswer.CancelWhenForbidden]), so only one may run at a time on a connection.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, c Config) error {
	reqCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), want.Name)
	defer stop()
	info, err := find(reqCtx, js, want, c.Create)
	if err != nil {
		return classify(want, noanswer.Explain(ctx, js, err, want.Name), c)
	}
	return checkConfig(want, info)
}

// inspect gets a stream and checks it. It returns the stream also with a [configError], and nil with any other error.
func inspect(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, c Config) (*jetstream.StreamInfo, error) {
	info, err := find(ctx, js, want, false)
	if err != nil {
		return nil, classify(want, err, c)
	}
	return info, checkConfig(want, info)
}

// find gets or creates a stream.
func find(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, create bool) (*jetstream.StreamInfo, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && create {
		stream, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another bridge created it meanwhile
			stream, err = js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// checkConfig returns a [configError] if the bridge cannot use a stream.
func checkConfig(want jetstream.StreamConfig, info *jetstream.StreamInfo) error {
	if found := differences(want, info.Config); len(found) > 0 {
		return configError{fmt.Errorf("stream %s has settings that the bridge cannot use, and the bridge never changes an existing stream: %s",
			want.Name, strings.Join(found, "; "))}
	}
	return nil
}

// A MissingError is the error of a stream that does not exist and was not to be created.
type MissingError struct {
	Stream string
	err    error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("stream %s does not exist: %v", e.Stream, e.err)
}

func (e *MissingError) Unwrap() error { return e.err }

// A ReplicasError is the error of a stream with more replicas than the cluster has servers for it.
type ReplicasError struct {
	Stream   string
	Replicas int
	err      error
}

func (e *ReplicasError) Error() string {
	return fmt.Sprintf("stream %s cannot have %d replicas: %v", e.Stream, e.Replicas, e.err)
}

func (e *ReplicasError) Unwrap() error { return e.err }

// classify wraps the error of a stream that could not be read or created in the type that says why, if it is known.
func classify(want jetstream.StreamConfig, err error, c Config) error {
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

// differences returns the settings of a stream that would break the bridge's promise. Limits of size and age, replicas,
// placement and compression are the operator's choice.
func differences(want, is jetstream.StreamConfig) []string {
	var found []string
	check := func(field string, want, is any) {
		if w, i := fmt.Sprint(want), fmt.Sprint(is); w != i {
			found = append(found, fmt.Sprintf("%s is %s, must be %s", field, i, w))
		}
	}
	check("subjects", sorted(want.Subjects), sorted(is.Subjects))
	check("retention", want.Retention, is.Retention)
	check("discard", want.Discard, is.Discard)
	if want.Storage == jetstream.FileStorage { // what may be in memory may be in a file
		check("storage", want.Storage, is.Storage)
	}
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
	// Keys of a bucket must not expire, except leases, whose age limit may have any value.
	if want.MaxMsgsPerSubject == 1 && (want.MaxAge == 0 || is.MaxAge == 0) {
		check("max_age", want.MaxAge, is.MaxAge)
	}
	return found
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// sources formats a stream's sources as sorted lines, for a comparison.
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
