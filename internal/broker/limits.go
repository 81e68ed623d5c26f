package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits of the readers of an embedded server. The server's own limits do not tell readers from the bridge, and its
// queues towards them have none: what a consumer or a get has found waits in one queue with the acknowledgements of
// writes, however long that grows. So readers are kept back where they come in: their bytes at the port
// ([readersPort]), and their requests before they reach the streams ([porter]).
const (
	MostReaders   = 256 // connections at a time
	MostConsumers = 384 // from which on readers make no more, of all streams together; the bridge's own and those of /v1 count

	maxSubscriptions = 512      // of one connection; the bridge's own needs one for each that reads /v1
	maxPending       = 32 << 20 // bytes that wait for any one connection
	readerPending    = 4 << 20  // … for a reader
	readersPending   = 24 << 20 // … for all readers together
	watchPending     = 50 * time.Millisecond

	readerWrite  = 3 * time.Second // for a part of at most readerChunk
	readerChunk  = 32 << 10
	readerBuffer = 128 << 10 // of the kernel, which keeps twice as much

	readerInbound  = 512 << 10 // bytes a second that a reader may send
	readersInbound = 1 << 20   // … and all together
	inboundChunk   = 16 << 10

	readRate    = 128 << 20 // bytes of the streams that all readers together may ask for in a second
	readBurst   = 16 << 20
	plainPush   = 1 << 20  // bytes a second of a consumer that pushes, whether its reader keeps up or not
	flowPush    = 64 << 20 // … and waits for its reader
	pushesEvery = 100 * time.Millisecond
	pushBurst   = 10
	maxGetBytes = 1 << 20 // of the answer to one get of several messages
	maxInQueue  = 1024    // requests of a sort that wait
)

// watchReaders disconnects readers who do not read, until the context ends: one for whom too much waits, and while too
// much waits for all of them, the one for whom most does.
func (e *Embedded) watchReaders(ctx context.Context) {
	ticker := time.NewTicker(watchPending)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if e.port.open() == 0 {
			continue
		}
		found, err := e.readers()
		if err != nil {
			e.log.Warn("what waits for the readers cannot be seen", "error", err)
			continue
		}
		for _, c := range tooMuch(found) {
			e.port.cut("too much waits for it", c.Pending)
			_ = e.server.DisconnectClientByID(c.Cid) // else it is gone already
		}
	}
}

// tooMuch returns the connections that must go; they come with the one first for which most waits.
func tooMuch(conns []*server.ConnInfo) (out []*server.ConnInfo) {
	together := 0
	for _, c := range conns {
		together += c.Pending
	}
	for _, c := range conns {
		if c.Pending <= readerPending && together <= readersPending {
			break
		}
		out = append(out, c)
		together -= c.Pending
	}
	return out
}

// readers returns the readers' connections, that with the most pending bytes first.
func (e *Embedded) readers() ([]*server.ConnInfo, error) {
	found, err := e.server.Connz(&server.ConnzOptions{Account: readersAccount, Sort: server.ByPending, Limit: math.MaxInt})
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: list the readers: %w", err)
	}
	own := e.ownAmongReaders()
	var others []*server.ConnInfo
	for _, c := range found.Conns {
		if !own[c.Cid] {
			others = append(others, c)
		}
	}
	return others, nil
}

// ownAmongReaders are the ids of the bridge's own connections to the readers' account.
func (e *Embedded) ownAmongReaders() map[uint64]bool {
	own := map[uint64]bool{}
	conns := e.tap
	if e.porter != nil {
		conns = append(slices.Clone(conns), e.porter.nc)
		own[e.porter.refusal.id] = true
	}
	for _, nc := range conns {
		if id, err := nc.GetClientID(); err == nil {
			own[id] = true
		}
	}
	return own
}
