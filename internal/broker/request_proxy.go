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

// A porter takes readers' requests for what the streams hold, and passes them on no faster than the streams answer with
// writes in between. It is one of the readers' account, and a request that is passed on keeps its reply subject, so that
// answers go past the porter.
//
// A stream answers gets and sends what its consumers have found by the same loop that stores what is written to it, and
// the loop's queues have no end. So after each request the porter has the stream answer one of its own, which is
// behind the reader's in that queue, and rests for as long as that took.
type porter struct {
	server  *server.Server
	log     *slog.Logger
	nc      *nats.Conn
	refusal *refusal

	reading *rate.Limiter // bytes
	pushes  *rate.Limiter // consumers that push

	ctx  context.Context
	stop context.CancelFunc

	mu    sync.Mutex
	owed  time.Duration  // rest
	sizes map[string]int // of the messages of a stream, on average
	sized time.Time
}

// Subjects of the porter, to which readers may not publish.
const (
	porterPrefix = "_PORTER." // before what is passed on
	porterInbox  = "_PORTER.INBOX"
	infoRequest  = "$JS.API.CONSUMER.INFO."

	directRequest = "$JS.API.DIRECT.GET."
)

// Requests that the porter takes.
var (
	lookRequests = []string{directRequest + ">", "$JS.API.STREAM.MSG.GET.*"}
	makeRequests = []string{"$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.DURABLE.CREATE.>"}
	nextRequests = []string{"$JS.API.CONSUMER.MSG.NEXT.>"}
)

// openPorter takes requests until it is closed.
func (e *Embedded) openPorter() (*porter, error) {
	p := &porter{
		server: e.server, log: e.log,
		reading: rate.NewLimiter(readRate, readBurst),
		pushes:  rate.NewLimiter(rate.Every(pushesEvery), pushBurst),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	var err error
	// Requests that find no room are dropped, as readers notice.
	if p.nc, err = e.connect(e.carrier, nats.CustomInboxPrefix(porterInbox), nats.ErrorHandler(p.dropped)); err != nil {
		return p, err
	}
	if p.refusal, err = openRefusal(e.server, e.carrier); err != nil {
		return p, fmt.Errorf("embedded NATS server: %w", err)
	}
	for _, sort := range []struct {
		subjects []string
		pass     func(m *nats.Msg)
	}{{lookRequests, p.look}, {makeRequests, p.makeConsumer}, {nextRequests, p.next}} {
		for _, subject := range sort.subjects {
			if err := p.take(subject, sort.pass); err != nil {
				return p, fmt.Errorf("embedded NATS server: subscribe to %s: %w", subject, err)
			}
		}
	}
	return p, p.nc.Flush()
}

func (p *porter) take(subject string, pass func(*nats.Msg)) error {
	sub, err := p.nc.Subscribe(subject, func(m *nats.Msg) {
		if p.ctx.Err() == nil && m.Reply != "" {
			pass(m)
		}
	})
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(maxInQueue, maxInQueue<<10)
}

func (p *porter) dropped(_ *nats.Conn, _ *nats.Subscription, err error) {
	p.log.Debug("requests of readers were dropped", "error", err)
}

// token is the n-th of a subject's, from 0; "" when it has no such.
func token(subject string, n int) string {
	tokens := strings.SplitN(subject, ".", n+2)
	if len(tokens) <= n {
		return ""
	}
	return tokens[n]
}

// look passes a get on.
func (p *porter) look(m *nats.Msg) {
	began := time.Now()
	rest, direct := strings.CutPrefix(m.Subject, directRequest)
	if !direct { // it is $JS.API.STREAM.MSG.GET.STREAM
		rest = token(m.Subject, 5)
	}
	p.pass(m, lookLess(m.Data))
	if p.settle(token(rest, 0)) && direct { // the other is answered by who knows that the stream is not there
		p.refusal.tell(m.Reply)
	}
	p.rest(time.Since(began))
}

// lookLess has a get of several messages end sooner, as its answer then says.
func lookLess(request []byte) []byte {
	if !bytes.Contains(request, []byte(`batch`)) && !bytes.Contains(request, []byte(`multi_last`)) {
		return request
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(request, &fields) != nil {
		return request // which the server refuses
	}
	most, _ := strconv.Atoi(string(fields["max_bytes"]))
	if most > 0 && most <= maxGetBytes {
		return request
	}
	fields["max_bytes"] = json.RawMessage(strconv.Itoa(maxGetBytes))
	return remade(request, fields)
}

// remade is a request with other fields.
func remade(request []byte, fields any) []byte {
	text, err := json.Marshal(fields)
	if err != nil {
		return request
	}
	return text
}

// next passes a request for a consumer's next messages on, when readers may read as much as it can bring.
func (p *porter) next(m *nats.Msg) {
	began := time.Now()
	stream, consumer := token(m.Subject, 5), token(m.Subject, 6)
	info, err := p.request(infoRequest+stream+"."+consumer, nil, nil)
	if err != nil {
		return // the server is not itself
	}
	var found struct {
		Error   json.RawMessage `json:"error"`
		Pending int             `json:"num_pending"`
		Again   int             `json:"num_redelivered"`
		Waiting int             `json:"num_ack_pending"`
	}
	if json.Unmarshal(info.Data, &found) != nil || found.Error != nil {
		p.refusal.tell(m.Reply)
		p.rest(time.Since(began))
		return
	}
	bytes := min(batchOf(m.Data), found.Pending+found.Waiting) * p.size(stream)
	if p.reading.WaitN(p.ctx, min(bytes, readBurst)) != nil {
		return
	}
	p.pass(m, m.Data)
	p.settle(stream)
}

// batchOf is how many messages are asked for.
func batchOf(request []byte) int {
	if n, err := strconv.Atoi(string(bytes.TrimSpace(request))); err == nil {
		return max(n, 1)
	}
	var fields struct {
		Batch int `json:"batch"`
	}
	_ = json.Unmarshal(request, &fields) // the server refuses what is none
	return max(fields.Batch, 1)
}

// pass passes a request on, with the reply subject that it came with.
func (p *porter) pass(m *nats.Msg, data []byte) {
	_ = p.nc.PublishMsg(&nats.Msg{Subject: porterPrefix + m.Subject, Reply: m.Reply, Header: m.Header, Data: data}) // the server stops
}

// request asks the server something itself.
func (p *porter) request(subject string, header nats.Header, data []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(p.ctx, porterWait)
	defer cancel()
	return p.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: porterPrefix + subject, Header: header, Data: data})
}

// Times of the porter.
const (
	porterWait = 30 * time.Second // for an answer of the server
	mostRest   = time.Second
	leastRest  = time.Millisecond // what is shorter is rested together: a clock is no finer
	sizedFor   = 10 * time.Second
)

// settle waits until a stream has sent what it had found before. It says whether there is nobody who answers.
func (p *porter) settle(stream string) (nobody bool) {
	_, err := p.request(directRequest+stream, nil, nil) // it is refused, without a look into the store
	return errors.Is(err, nats.ErrNoResponders)
}

// rest leaves the streams to others for as long as readers had them.
func (p *porter) rest(had time.Duration) {
	p.mu.Lock()
	p.owed += had
	owed := p.owed
	if owed >= leastRest {
		p.owed = 0
	}
	p.mu.Unlock()
	if owed < leastRest {
		return
	}
	select {
	case <-time.After(min(owed, mostRest)):
	case <-p.ctx.Done():
	}
}

// size is how many bytes a message of a stream has, on average.
func (p *porter) size(stream string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.sized) > sizedFor {
		p.sizes, p.sized = map[string]int{}, time.Now()
		for _, s := range p.streams() {
			p.sizes[s.Name] = int(min(s.State.Bytes/max(s.State.Msgs, 1), readBurst))
		}
	}
	return p.sizes[stream]
}

// streams are those of the bridge.
func (p *porter) streams() []server.StreamDetail {
	found, err := p.server.Jsz(&server.JSzOptions{Account: ownerAccount, Streams: true})
	if err != nil {
		p.log.Warn("the embedded NATS server does not tell its streams", "error", err)
		return nil
	}
	var all []server.StreamDetail
	for _, account := range found.AccountDetails {
		all = append(all, account.Streams...)
	}
	return all
}

func (p *porter) close() {
	p.stop()
	if p.nc != nil {
		p.nc.Close()
	}
	if p.refusal != nil {
		p.refusal.close()
	}
}
