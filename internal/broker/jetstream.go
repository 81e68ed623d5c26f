package broker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NewJetStream returns JetStream by a connection, with a PublishMsg that costs about half: without options it asks once,
// for as long as its context lasts, and reads the acknowledgement without reflection.
func NewJetStream(nc *nats.Conn) (jetstream.JetStream, error) { return JetStreamOf(nc, "") }

// JetStreamOf is [NewJetStream] of a domain; of "" it is the JetStream that the server itself has, or is in the cluster of.
//
// A stream takes what is published on its subjects wherever it is. Subjects of buckets are an exception: leaf nodes keep
// them, so to those of a domain messages go by the domain's prefix, as the client's own key-value store has it.
func JetStreamOf(nc *nats.Conn, domain string) (jetstream.JetStream, error) {
	if domain == "" {
		js, err := jetstream.New(nc)
		return lean{js, nc, ""}, err
	}
	js, err := jetstream.NewWithDomain(nc, domain)
	return lean{js, nc, "$JS." + domain + ".API."}, err
}

// lean is a JetStream whose messages say by their headers what is expected of the stream.
type lean struct {
	jetstream.JetStream
	nc     *nats.Conn
	prefix string // of the domain's API; "" is the server's own
}

// Options are the client's, with the prefix of the API that it uses, which its own leave out.
func (l lean) Options() jetstream.JetStreamOptions {
	o := l.JetStream.Options()
	o.APIPrefix = cmp.Or(l.prefix, jetstream.DefaultAPIPrefix)
	return o
}

// at is the subject to publish on, so that a message gets to a subject of a stream.
func (l lean) at(subject string) string {
	if strings.HasPrefix(subject, "$KV.") {
		return l.prefix + subject
	}
	return subject
}

// Publish publishes a payload and waits for its acknowledgement.
func (l lean) Publish(ctx context.Context, subject string, payload []byte, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return l.JetStream.Publish(ctx, l.at(subject), payload, options...)
}

// PublishMsg publishes a message and waits for its acknowledgement.
func (l lean) PublishMsg(ctx context.Context, m *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if at := l.at(m.Subject); at != m.Subject {
		m = &nats.Msg{Subject: at, Reply: m.Reply, Header: m.Header, Data: m.Data}
	}
	if len(options) > 0 {
		return l.JetStream.PublishMsg(ctx, m, options...)
	}
	reply, err := l.nc.RequestMsgWithContext(ctx, m)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, jetstream.ErrNoStreamResponse
	case err != nil:
		return nil, err
	}
	return ackOf(reply.Data)
}

// ackOf reads what a server answered to a message. encoding/json reads what is not of the one usual form.
func ackOf(answer []byte) (*jetstream.PubAck, error) {
	if ack, ok := plainAck(answer); ok {
		return ack, nil
	}
	var full struct {
		Error *jetstream.APIError `json:"error"`
		*jetstream.PubAck
	}
	switch err := json.Unmarshal(answer, &full); {
	case err != nil:
		return nil, jetstream.ErrInvalidJSAck
	case full.Error != nil:
		return nil, full.Error
	case full.PubAck == nil || full.Stream == "":
		return nil, jetstream.ErrInvalidJSAck
	}
	return full.PubAck, nil
}

// plainAck reads {"stream":"NAME","seq":NUMBER}.
func plainAck(answer []byte) (ack *jetstream.PubAck, ok bool) {
	rest, ok1 := bytes.CutPrefix(answer, []byte(`{"stream":"`))
	stream, rest, ok2 := bytes.Cut(rest, []byte(`","seq":`))
	digits, ok3 := bytes.CutSuffix(rest, []byte(`}`))
	sequence, err := strconv.ParseUint(string(digits), 10, 64)
	if !ok1 || !ok2 || !ok3 || err != nil || len(stream) == 0 || bytes.ContainsAny(stream, `"\`) {
		return nil, false
	}
	return &jetstream.PubAck{Stream: string(stream), Sequence: sequence}, true
}
