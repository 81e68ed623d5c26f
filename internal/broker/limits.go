package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits of the readers of an embedded server. The server's own limits do not distinguish readers from the bridge, and its
// outgoing queues have no limit: messages for readers wait in one queue with the acknowledgements of writes. So readers are
// limited before the server: their bytes at the listener ([readerListener]), and their requests before they reach the
// streams ([requestProxy]).
const (
	MaxReaders          = 256 // concurrent connections
	ReaderConsumerLimit = 384 // consumers of all streams together, the bridge's and those of /v1 included, from which readers can create no more

	maxSubscriptions  = 512      // per connection; the bridge's own needs one for each reader of /v1
	maxPending        = 32 << 20 // bytes pending for one connection
	maxReaderPending  = 4 << 20  // … for one reader
	maxReadersPending = 24 << 20 // … for all readers together
	pendingInterval   = 50 * time.Millisecond

	readerWriteTimeout = 3 * time.Second // to write at most writeChunk bytes
	writeChunk         = 32 << 10
	readerSendBuffer   = 128 << 10 // in the kernel, which uses twice as much

	readerInboundRate  = 512 << 10 // bytes per second that one reader may send
	readersInboundRate = 1 << 20   // … and all readers together
	inboundChunk       = 16 << 10

	readRate            = 128 << 20 // bytes per second that all readers together may request from streams
	readBurst           = 16 << 20
	pushRate            = 1 << 20  // bytes per second of a push consumer without flow control
	flowControlPushRate = 64 << 20 // … with flow control
	pushInterval        = 100 * time.Millisecond
	pushBurst           = 10
	maxGetBytes         = 1 << 20 // of the response to one batch get
	maxQueuedRequests   = 1024    // pending requests per subscription
)

// watchReaders disconnects stalled readers, until the context ends: each with too many pending bytes and, while all readers
// together have too many, the one with the most.
func (e *Embedded) watchReaders(ctx context.Context) {
	ticker := time.NewTicker(pendingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if e.listener.count() == 0 {
			continue
		}
		found, err := e.readers()
		if err != nil {
			e.log.Warn("pending bytes of readers cannot be read", "error", err)
			continue
		}
		for _, c := range overLimit(found) {
			e.listener.logDisconnect("too many pending bytes", c.Pending)
			_ = e.server.DisconnectClientByID(c.Cid) // an error means that it is closed already
		}
	}
}

// overLimit returns the connections to disconnect, from connections in descending order of pending bytes.
func overLimit(conns []*server.ConnInfo) (over []*server.ConnInfo) {
	total := 0
	for _, c := range conns {
		total += c.Pending
	}
	for _, c := range conns {
		if c.Pending <= maxReaderPending && total <= maxReadersPending {
			break
		}
		over = append(over, c)
		total -= c.Pending
	}
	return over
}

// readers returns the readers' connections, in descending order of pending bytes.
func (e *Embedded) readers() ([]*server.ConnInfo, error) {
	found, err := e.server.Connz(&server.ConnzOptions{Account: readersAccount, Sort: server.ByPending, Limit: math.MaxInt})
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: list the readers: %w", err)
	}
	own := e.internalClientIDs()
	var others []*server.ConnInfo
	for _, c := range found.Conns {
		if !own[c.Cid] {
			others = append(others, c)
		}
	}
	return others, nil
}

// internalClientIDs returns the ids of the bridge's own connections to the readers' account.
func (e *Embedded) internalClientIDs() map[uint64]bool {
	own := map[uint64]bool{}
	conns := e.relay
	if e.proxy != nil {
		conns = append(slices.Clone(conns), e.proxy.nc)
		own[e.proxy.noResponder.id] = true
	}
	for _, nc := range conns {
		if id, err := nc.GetClientID(); err == nil {
			own[id] = true
		}
	}
	return own
}
