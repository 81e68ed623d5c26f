package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
)

// A writeCheck records when, and on which connection, the log last responded to a write.
type writeCheck struct {
	at         time.Time
	reconnects uint64
}

const (
	probeTTL      = time.Second // how long the result of a probe is reused: /readyz may be requested often
	writeCheckTTL = probeTTL    // how long a write check holds on one connection
)

// ready returns why the bridge cannot store deliveries, now or lastingly; nil if it can. It has JetStream store a message,
// so that permissions, leaders, quorums and limits are tested.
//
// The bridge stays ready when MKIO_UNAPPLIED is full: events are still stored, another bridge has the same stream, and a
// load balancer that stopped sending would lose the deliveries that can be stored. The deliveries that do not fit are
// answered 503, logged and counted in mkio_bridge_publish_failures_total.
func (w *watchdog) ready(ctx context.Context) error {
	select {
	case w.probing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	recent := time.Since(w.probedAt) < probeTTL
	<-w.probing
	if !w.streams.Surveyed() {
		surveying, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		w.survey(surveying)
	}
	if !recent {
		w.probe(context.WithoutCancel(ctx))
	}
	if err := w.streams.Err(); err != nil {
		signal(w.wake)
		return err
	}
	return w.storeErr()
}

// storeErr returns why the log cannot be written now; nil while its circuit breaker is closed.
func (w *watchdog) storeErr() error {
	if _, err := w.logBreaker.allow(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, w.names.EventStream(), err)
	}
	return nil
}

// probe has JetStream store a message, one caller at a time, and records why it could not store an event. The result
// opens and closes the circuit breakers: a response of JetStream's API, or its absence, says nothing about writes.
func (w *watchdog) probe(ctx context.Context) {
	w.probing <- struct{}{}
	defer func() { <-w.probing }()
	if time.Since(w.probedAt) < probeTTL/2 { // another caller probed meanwhile
		return
	}
	probing, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	gen, _ := w.logBreaker.allow()
	failed := w.checkWritable(probing)
	if ctx.Err() != nil {
		return // the bridge stops: the probe says nothing
	}
	if failed != nil {
		w.logBreaker.trip(gen, storeError{failed})
	} else {
		w.logBreaker.close()
		if _, err := w.unappliedBreaker.allow(); err != nil && streams.TryWrite(probing, w.js, w.names.UnappliedStream(), w.names.UnappliedPrefix()) == nil {
			w.unappliedBreaker.close()
		}
	}
	w.streams.RecordWriteErr(failed)
	w.probedAt = time.Now()
}

// checkWritable returns why no event may be written now; nil if one may.
func (w *watchdog) checkWritable(ctx context.Context) error {
	if !w.nc.IsConnected() {
		return errors.New("NATS is not connected")
	}
	if err := w.tryStore(ctx); err != nil {
		return err
	}
	if err := w.streams.LogErr(); err != nil {
		return err
	}
	if w.storeErr() == nil {
		return nil
	}
	return w.verifySameLog(ctx)
}

// tryStore has JetStream store a message, and returns why it could not have stored an event.
func (w *watchdog) tryStore(ctx context.Context) error {
	bucket := w.names.NotesBucket()
	// One key, which every bridge overwrites: it proves that the disks, the quorum and the limits of this JetStream allow a
	// write. No event is written for that, and no consumer sees this key.
	key := "$KV." + bucket + ".ready"
	_, err := w.js.Publish(ctx, key, nil, jetstream.WithExpectStream("KV_"+bucket), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("write to bucket %s: %w", bucket, noanswer.Forbidden(w.nc, err, key))
	}
	// Whether the log's leader accepts a write from this user is not tested while writes are acknowledged anyway, and not
	// in every probe: core NATS subscribers of the log's subjects receive the test message.
	now := writeCheck{time.Now(), w.nc.Stats().Reconnects}
	last := w.lastWrite
	if acked := w.logBreaker.lastAcked(); acked.After(last.at) {
		last.at = acked
	}
	if w.storeErr() == nil && last.reconnects == now.reconnects && now.at.Sub(last.at) < writeCheckTTL {
		return nil
	}
	if err := streams.TryWrite(ctx, w.js, w.names.EventStream(), w.names.Prefix()); err != nil {
		return err
	}
	w.lastWrite = now
	return nil
}

// verifySameLog returns an error unless the log that accepts writes again is the cached one. The last
// cached event proves that; JetStream's API is queried only if the log does not return that event.
func (w *watchdog) verifySameLog(ctx context.Context) error {
	if w.follower.hasHorizonEvent(ctx) {
		return nil
	}
	horizon := w.follower.heads.horizon()
	infos := w.queryStreams(ctx)
	log, bucket := infos.Infos[w.names.EventStream()], infos.Infos[w.names.StateStream()]
	if log == nil || bucket == nil {
		return fmt.Errorf("%s accepts writes, but JetStream did not confirm that it is still the same log", w.names.EventStream())
	}
	return w.follower.checkSameLog(ctx, log, bucket, horizon)
}
