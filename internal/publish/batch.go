package publish

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A committer writes messages to the log, each with the sequence that it expects ([event.Message.Expect]).
//
// A server that syncs its disk for each message takes a few thousand messages a second, however many are in flight. It
// syncs an atomic batch once. So where batches are faster ([batchTuner]), writes are committed in groups: one group is in
// flight, and writes that arrive meanwhile form the next. A small group is sent as single writes, a larger one as one batch.
// Where batches are slower, every write is sent at once, because a batch costs the server more than its messages. No write
// waits for a group to fill.
//
// The server refuses a batch as a whole, and does not say because of which message. Nothing was stored then, and the writes
// are sent one by one, so that a conflict fails only the write of its own resource.
type committer struct {
	js    jetstream.JetStream
	nc    *nats.Conn
	tuner batchTuner

	mu      sync.Mutex      // guards the fields below
	pending []*pendingWrite // the next group
	running bool            // commitGroups runs
}

// A pendingWrite is a write that waits for its group to be committed.
type pendingWrite struct {
	ctx    context.Context
	msg    *nats.Msg
	result chan writeResult // buffered, because its caller may have left
}

// A writeResult is the sequence of a stored message, or the error of its write.
type writeResult struct {
	sequence uint64
	err      error
}

// Limits of a batch.
const (
	minBatch          = 16       // messages; a smaller batch is slower than single writes
	maxBatch          = 256      // messages; NATS allows 1000
	maxBatchedMessage = 64 << 10 // bytes; a larger message gains little, and might exceed the payload limit with the batch headers
)

// send writes a message and returns its sequence when JetStream has acknowledged it. Without an error the message is no
// longer in use. Two writes of one resource must not be in flight at once.
func (c *committer) send(ctx context.Context, msg *nats.Msg) (sequence uint64, err error) {
	timed, batch := c.tuner.begin(time.Now())
	if batch && msg.Size() <= maxBatchedMessage {
		sequence, err = c.enqueue(ctx, msg)
	} else {
		sequence, err = c.publish(ctx, msg)
	}
	c.tuner.end(timed, time.Now(), err == nil)
	return sequence, err
}

// enqueue adds a write to the next group and waits for its result.
func (c *committer) enqueue(ctx context.Context, msg *nats.Msg) (uint64, error) {
	write := &pendingWrite{ctx, msg, make(chan writeResult, 1)}
	c.mu.Lock()
	c.pending = append(c.pending, write)
	if !c.running {
		c.running = true
		go c.commitGroups() // ends when no write is pending
	}
	c.mu.Unlock()
	select {
	case result := <-write.result:
		return result.sequence, result.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// commitGroups commits group after group while writes are pending.
func (c *committer) commitGroups() {
	for group := c.nextGroup(); len(group) > 0; group = c.nextGroup() {
		if len(group) < minBatch {
			c.commitEach(group)
		} else {
			c.commitBatch(group)
		}
	}
}

// nextGroup removes the next group from the pending writes, without the writes whose caller has left. It clears running if
// none is left.
func (c *committer) nextGroup() []*pendingWrite {
	c.mu.Lock()
	defer c.mu.Unlock()
	var group []*pendingWrite
	for len(c.pending) > 0 && len(group) < maxBatch {
		if w := c.pending[0]; w.ctx.Err() == nil {
			group = append(group, w)
		}
		c.pending = c.pending[1:]
	}
	c.running = len(group) > 0
	return group
}

// commitEach sends the writes of a group as single messages, all in flight at once.
func (c *committer) commitEach(group []*pendingWrite) {
	var wg sync.WaitGroup
	for _, w := range group {
		wg.Go(func() {
			sequence, err := c.publish(w.ctx, w.msg)
			w.result <- writeResult{sequence, err}
		})
	}
	wg.Wait()
}

// publish sends a single write.
func (c *committer) publish(ctx context.Context, msg *nats.Msg) (uint64, error) {
	ack, err := c.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// commitBatch sends the writes of a group as one atomic batch. Where several bridges receive the same deliveries at the same
// time, most batches may be refused: they are slower then, and the tuner stops batching.
func (c *committer) commitBatch(group []*pendingWrite) {
	ctx, cancel := context.WithTimeout(context.Background(), ackWait)
	defer cancel()
	last, err := c.sendBatch(ctx, group)
	if _, responded := errors.AsType[*jetstream.APIError](err); responded || errors.Is(err, nats.ErrMaxPayload) {
		for _, w := range group {
			for _, name := range []string{batchID, batchSequence, batchCommit} {
				w.msg.Header.Del(name)
			}
		}
		c.commitEach(group)
		return
	}
	for _, w := range slices.Backward(group) {
		w.result <- writeResult{last, err}
		last-- // the messages of a batch have consecutive sequences
	}
}

// The headers of a batch, as ADR-50 names them.
const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// sendBatch sends the writes of a group, and returns the sequence of the last when the server has stored all of them. With
// an [*jetstream.APIError] the server has stored none. Neither has it with [nats.ErrMaxPayload]: a message is too large with
// the headers of a batch, so the last message, which commits the batch, was not sent.
func (c *committer) sendBatch(ctx context.Context, group []*pendingWrite) (last uint64, err error) {
	id := rand.Text() // stored with the messages; random, so that it cannot reveal other identifiers of this process
	for i, w := range group {
		h := w.msg.Header
		h.Set(batchID, id)
		h.Set(batchSequence, strconv.Itoa(i+1))
		if i < len(group)-1 {
			if err := c.nc.PublishMsg(w.msg); err != nil {
				return 0, err
			}
		}
	}
	final := group[len(group)-1].msg
	final.Header.Set(batchCommit, "1")
	reply, err := c.nc.RequestMsgWithContext(ctx, final)
	if err != nil {
		return 0, err
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
		Count    int                 `json:"count"`
	}
	switch err := json.Unmarshal(reply.Data, &ack); {
	case err != nil:
		return 0, jetstream.ErrInvalidJSAck
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Count != len(group):
		return 0, jetstream.ErrInvalidJSAck
	}
	return ack.Sequence, nil
}
