package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"
)

// A requestProxy receives readers' requests for messages and consumers, and forwards them at a rate that leaves the streams
// time for writes. It is a client in the readers' account. A forwarded request keeps its reply subject, so that responses
// bypass the proxy.
//
// A stream serves gets and consumers in the same loop that stores messages, and the loop's queues have no limit. So after
// each request the proxy sends one of its own, which waits behind the reader's in that queue, and then pauses for as long as
// both took.
type requestProxy struct {
	server      *server.Server
	log         *slog.Logger
	nc          *nats.Conn
	noResponder *noResponder

	readLimiter *rate.Limiter // in bytes
	pushLimiter *rate.Limiter // creations of push consumers

	ctx  context.Context
	stop context.CancelFunc

	mu        sync.Mutex
	owedPause time.Duration  // pause that is due
	sizes     map[string]int // average message size by stream
	sizesAt   time.Time
}

// Subjects of the proxy, to which readers may not publish.
const (
	proxyPrefix = "_PORTER." // prefix of forwarded requests
	proxyInbox  = "_PORTER.INBOX"
	infoRequest = "$JS.API.CONSUMER.INFO."

	directRequest = "$JS.API.DIRECT.GET."
)

// Requests that the proxy receives.
var (
	getRequests    = []string{directRequest + ">", "$JS.API.STREAM.MSG.GET.*"}
	createRequests = []string{"$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.DURABLE.CREATE.>"}
	nextRequests   = []string{"$JS.API.CONSUMER.MSG.NEXT.>"}
)

// openRequestProxy starts a proxy, which serves requests until it is closed.
func (e *Embedded) openRequestProxy() (*requestProxy, error) {
	p := &requestProxy{
		server: e.server, log: e.log,
		readLimiter: rate.NewLimiter(readRate, readBurst),
		pushLimiter: rate.NewLimiter(rate.Every(pushInterval), pushBurst),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	var err error
	// Requests over maxQueuedRequests are dropped; readers notice by their timeouts.
	if p.nc, err = e.connect(e.relayUser, nats.CustomInboxPrefix(proxyInbox), nats.ErrorHandler(p.dropped)); err != nil {
		return p, err
	}
	if p.noResponder, err = openNoResponder(e.server, e.relayUser); err != nil {
		return p, fmt.Errorf("embedded NATS server: %w", err)
	}
	for _, sort := range []struct {
		subjects []string
		pass     func(m *nats.Msg)
	}{{getRequests, p.get}, {createRequests, p.createConsumer}, {nextRequests, p.next}} {
		for _, subject := range sort.subjects {
			if err := p.subscribe(subject, sort.pass); err != nil {
				return p, fmt.Errorf("embedded NATS server: subscribe to %s: %w", subject, err)
			}
		}
	}
	return p, p.nc.Flush()
}

func (p *requestProxy) subscribe(subject string, pass func(*nats.Msg)) error {
	sub, err := p.nc.Subscribe(subject, func(m *nats.Msg) {
		if p.ctx.Err() == nil && m.Reply != "" {
			pass(m)
		}
	})
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(maxQueuedRequests, maxQueuedRequests<<10)
}

func (p *requestProxy) dropped(_ *nats.Conn, _ *nats.Subscription, err error) {
	p.log.Debug("reader requests dropped", "error", err)
}

// subjectToken returns the rest of a subject's tokens from the n-th, counted from 0; "" if there is none.
func subjectToken(subject string, n int) string {
	tokens := strings.SplitN(subject, ".", n+2)
	if len(tokens) <= n {
		return ""
	}
	return tokens[n]
}

// get forwards a get.
func (p *requestProxy) get(m *nats.Msg) {
	start := time.Now()
	rest, direct := strings.CutPrefix(m.Subject, directRequest)
	if !direct { // $JS.API.STREAM.MSG.GET.STREAM
		rest = subjectToken(m.Subject, 5)
	}
	p.forward(m, limitGet(m.Data))
	if p.waitBehind(subjectToken(rest, 0)) && direct { // for the other kind of get, the server itself responds that the stream is missing
		p.noResponder.respond(m.Reply)
	}
	p.pause(time.Since(start))
}

// limitGet limits the bytes of a batch get. Its response then has the number of pending messages.
func limitGet(request []byte) []byte {
	if !bytes.Contains(request, []byte(`batch`)) && !bytes.Contains(request, []byte(`multi_last`)) {
		return request
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(request, &fields) != nil {
		return request // the server refuses it
	}
	given, _ := strconv.Atoi(string(fields["max_bytes"]))
	if given > 0 && given <= maxGetBytes {
		return request
	}
	fields["max_bytes"] = json.RawMessage(strconv.Itoa(maxGetBytes))
	return encodeOr(request, fields)
}

// encodeOr returns the JSON of fields; the request unchanged if they cannot be encoded.
func encodeOr(request []byte, fields any) []byte {
	text, err := json.Marshal(fields)
	if err != nil {
		return request
	}
	return text
}

// next forwards a request for a consumer's next messages, after waiting for the read rate of its possible response.
func (p *requestProxy) next(m *nats.Msg) {
	start := time.Now()
	stream, consumer := subjectToken(m.Subject, 5), subjectToken(m.Subject, 6)
	info, err := p.request(infoRequest+stream+"."+consumer, nil, nil)
	if err != nil {
		return // the server is overloaded or stopping
	}
	var found struct {
		Error   json.RawMessage `json:"error"`
		Pending int             `json:"num_pending"`
		Again   int             `json:"num_redelivered"`
		Waiting int             `json:"num_ack_pending"`
	}
	if json.Unmarshal(info.Data, &found) != nil || found.Error != nil {
		p.noResponder.respond(m.Reply)
		p.pause(time.Since(start))
		return
	}
	bytes := min(batchOf(m.Data), found.Pending+found.Waiting) * p.averageSize(stream)
	if p.readLimiter.WaitN(p.ctx, min(bytes, readBurst)) != nil {
		return
	}
	p.forward(m, m.Data)
	p.waitBehind(stream)
}

// batchOf returns how many messages are requested.
func batchOf(request []byte) int {
	if n, err := strconv.Atoi(string(bytes.TrimSpace(request))); err == nil {
		return max(n, 1)
	}
	var fields struct {
		Batch int `json:"batch"`
	}
	_ = json.Unmarshal(request, &fields) // the server refuses invalid JSON
	return max(fields.Batch, 1)
}

// forward forwards a request with its reply subject.
func (p *requestProxy) forward(m *nats.Msg, data []byte) {
	_ = p.nc.PublishMsg(&nats.Msg{Subject: proxyPrefix + m.Subject, Reply: m.Reply, Header: m.Header, Data: data}) // an error means that the server is stopping
}

// request sends a request of the proxy itself.
func (p *requestProxy) request(subject string, header nats.Header, data []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(p.ctx, proxyTimeout)
	defer cancel()
	return p.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: proxyPrefix + subject, Header: header, Data: data})
}

// Times of the proxy.
const (
	proxyTimeout = 30 * time.Second // for a response of the server
	maxPause     = time.Second
	minPause     = time.Millisecond // shorter pauses are added up, because timers are not finer
	sizesTTL     = 10 * time.Second
)

// waitBehind waits until a stream has served the requests before. It reports whether there is no responder.
func (p *requestProxy) waitBehind(stream string) (noResponders bool) {
	_, err := p.request(directRequest+stream, nil, nil) // an empty request, which the stream refuses without reading the store
	return errors.Is(err, nats.ErrNoResponders)
}

// pause pauses the proxy for as long as readers' requests took, so that the streams are free for writes.
func (p *requestProxy) pause(had time.Duration) {
	p.mu.Lock()
	p.owedPause += had
	owedPause := p.owedPause
	if owedPause >= minPause {
		p.owedPause = 0
	}
	p.mu.Unlock()
	if owedPause < minPause {
		return
	}
	select {
	case <-time.After(min(owedPause, maxPause)):
	case <-p.ctx.Done():
	}
}

// averageSize returns the average size of a stream's messages in bytes, which is cached for sizesTTL.
func (p *requestProxy) averageSize(stream string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.sizesAt) > sizesTTL {
		p.sizes, p.sizesAt = map[string]int{}, time.Now()
		for _, s := range p.streams() {
			p.sizes[s.Name] = int(min(s.State.Bytes/max(s.State.Msgs, 1), readBurst))
		}
	}
	return p.sizes[stream]
}

// streams returns the bridge's streams.
func (p *requestProxy) streams() []server.StreamDetail {
	found, err := p.server.Jsz(&server.JSzOptions{Account: ownerAccount, Streams: true})
	if err != nil {
		p.log.Warn("streams of the embedded NATS server cannot be read", "error", err)
		return nil
	}
	var all []server.StreamDetail
	for _, account := range found.AccountDetails {
		all = append(all, account.Streams...)
	}
	return all
}

func (p *requestProxy) close() {
	p.stop()
	if p.nc != nil {
		p.nc.Close()
	}
	if p.noResponder != nil {
		p.noResponder.close()
	}
}
