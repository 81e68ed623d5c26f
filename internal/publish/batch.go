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

// A committer puts messages into the log, each behind the sequence that it expects ([event.Message.Expect]).
//
// A log that syncs its disk once a message takes a few thousand messages a second, whoever sends them and however many
// are in flight. Of an atomic batch it syncs the whole. So where batches are faster ([pace]), writes go in rounds: one
// round is under way, and who comes meanwhile is of the next. A round of few goes one by one, a round of more as one
// batch. Where they are not everybody writes at once, for a batch costs the server more than its messages. Nobody ever
// waits for a round to fill.
//
// The server refuses a batch as a whole, and does not say for which message. Its writes are then tried one by one:
// nothing was stored, and a conflict is of one resource alone.
type committer struct {
	js   jetstream.JetStream
	nc   *nats.Conn
	pace pace

	mu      sync.Mutex // guards what follows
	waiting []*waiter  // of the next round
	rounds  bool       // they are made
}

// A waiter is a write of a round, and where its end is told.
type waiter struct {
	ctx  context.Context
	msg  *nats.Msg
	done chan written // has room for one
}

// written is what became of a write.
type written struct {
	sequence uint64
	err      error
}

// Bounds of a batch.
const (
	leastBatch  = 16       // the messages that are worth its cost
	mostBatch   = 256      // NATS takes 1000
	mostInBatch = 64 << 10 // bytes of a message: what is larger gains little, and would need room for a batch's headers
)

// send returns the sequence of a message when JetStream has acknowledged it; then it has done with the message. Two
// writes of one resource must not be in flight at once.
func (c *committer) send(ctx context.Context, msg *nats.Msg) (sequence uint64, err error) {
	timed, batch := c.pace.begin(time.Now())
	if batch && msg.Size() <= mostInBatch {
		sequence, err = c.join(ctx, msg)
	} else {
		sequence, err = c.one(ctx, msg)
	}
	c.pace.end(timed, time.Now(), err == nil)
	return sequence, err
}

// join makes a write with the next round.
func (c *committer) join(ctx context.Context, msg *nats.Msg) (uint64, error) {
	me := &waiter{ctx, msg, make(chan written, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, me)
	if !c.rounds {
		c.rounds = true
		go c.run() // until nobody waits: it ends before the last of those who wait for it
	}
	c.mu.Unlock()
	select {
	case end := <-me.done:
		return end.sequence, end.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run makes rounds while somebody waits.
func (c *committer) run() {
	for round := c.next(); len(round) > 0; round = c.next() {
		if len(round) < leastBatch {
			c.oneByOne(round)
		} else {
			c.batch(round)
		}
	}
}

// next takes the writes of a round, but those that nobody waits for any longer. Where there are none, rounds end.
func (c *committer) next() []*waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	var round []*waiter
	for len(c.waiting) > 0 && len(round) < mostBatch {
		if w := c.waiting[0]; w.ctx.Err() == nil {
			round = append(round, w)
		}
		c.waiting = c.waiting[1:]
	}
	c.rounds = len(round) > 0
	return round
}

// oneByOne makes a round of single writes, which are on their way together.
func (c *committer) oneByOne(round []*waiter) {
	var group sync.WaitGroup
	for _, w := range round {
		group.Go(func() {
			sequence, err := c.one(w.ctx, w.msg)
			w.done <- written{sequence, err}
		})
	}
	group.Wait()
}

// one makes a single write.
func (c *committer) one(ctx context.Context, msg *nats.Msg) (uint64, error) {
	ack, err := c.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// batch makes a round of one atomic batch. Where bridges are told the same at the same time, most batches may be refused:
// then they are slower, and the pace has it.
func (c *committer) batch(round []*waiter) {
	ctx, cancel := context.WithTimeout(context.Background(), ackWait)
	defer cancel()
	last, err := c.sendBatch(ctx, round)
	if _, answered := errors.AsType[*jetstream.APIError](err); answered || errors.Is(err, nats.ErrMaxPayload) {
		for _, w := range round {
			for _, name := range []string{batchID, batchSequence, batchCommit} {
				w.msg.Header.Del(name)
			}
		}
		c.oneByOne(round)
		return
	}
	for _, w := range slices.Backward(round) {
		w.done <- written{last, err}
		last-- // they follow each other in the log
	}
}

// The headers of a batch, as ADR-50 names them.
const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// sendBatch sends the writes of a round, and returns the sequence of the last when the server has stored all of them. An
// [*jetstream.APIError] says that it has stored none, and so does [nats.ErrMaxPayload]: where a message is too large with
// the headers of a batch, the last is not sent.
func (c *committer) sendBatch(ctx context.Context, round []*waiter) (last uint64, err error) {
	id := rand.Text() // it is stored with the messages, and must not tell what else this process names
	for i, w := range round {
		h := w.msg.Header
		h.Set(batchID, id)
		h.Set(batchSequence, strconv.Itoa(i+1))
		if i < len(round)-1 {
			if err := c.nc.PublishMsg(w.msg); err != nil {
				return 0, err
			}
		}
	}
	end := round[len(round)-1].msg
	end.Header.Set(batchCommit, "1")
	reply, err := c.nc.RequestMsgWithContext(ctx, end)
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
	case ack.Count != len(round):
		return 0, jetstream.ErrInvalidJSAck
	}
	return ack.Sequence, nil
}
