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

// NewJetStream returns JetStream on a connection, with a PublishMsg at about half the cost: without options it sends one
// request, waits as long as its context allows, and parses the acknowledgement without reflection.
func NewJetStream(nc *nats.Conn) (jetstream.JetStream, error) { return NewJetStreamInDomain(nc, "") }

// NewJetStreamInDomain is [NewJetStream] in a domain; "" is the JetStream of the server itself, or of its cluster.
//
// A message published on a stream's subject reaches the stream in any domain. Subjects of buckets are an exception: leaf
// nodes do not forward them, so writes to buckets of a domain use the domain's API prefix, as the client's own key-value
// store does.
func NewJetStreamInDomain(nc *nats.Conn, domain string) (jetstream.JetStream, error) {
	if domain == "" {
		js, err := jetstream.New(nc)
		return fastJetStream{js, nc, ""}, err
	}
	js, err := jetstream.NewWithDomain(nc, domain)
	return fastJetStream{js, nc, "$JS." + domain + ".API."}, err
}

// fastJetStream is a JetStream with a faster PublishMsg. Expectations, such as the last sequence, are in the messages'
// headers.
type fastJetStream struct {
	jetstream.JetStream
	nc     *nats.Conn
	prefix string // of the domain's API; "": the server's own domain
}

// Options returns the client's options with the API prefix, which the client leaves out for a domain.
func (l fastJetStream) Options() jetstream.JetStreamOptions {
	o := l.JetStream.Options()
	o.APIPrefix = cmp.Or(l.prefix, jetstream.DefaultAPIPrefix)
	return o
}

// publishSubject returns the subject to publish on, so that a message reaches the stream of a subject.
func (l fastJetStream) publishSubject(subject string) string {
	if strings.HasPrefix(subject, "$KV.") {
		return l.prefix + subject
	}
	return subject
}

// Publish publishes a payload and waits for its acknowledgement.
func (l fastJetStream) Publish(ctx context.Context, subject string, payload []byte, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return l.JetStream.Publish(ctx, l.publishSubject(subject), payload, options...)
}

// PublishMsg publishes a message and waits for its acknowledgement.
func (l fastJetStream) PublishMsg(ctx context.Context, m *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if at := l.publishSubject(m.Subject); at != m.Subject {
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
	return parseAck(reply.Data)
}

// parseAck parses the server's reply to a message, with encoding/json if it does not have the usual form.
func parseAck(reply []byte) (*jetstream.PubAck, error) {
	if ack, ok := plainAck(reply); ok {
		return ack, nil
	}
	var full struct {
		Error *jetstream.APIError `json:"error"`
		*jetstream.PubAck
	}
	switch err := json.Unmarshal(reply, &full); {
	case err != nil:
		return nil, jetstream.ErrInvalidJSAck
	case full.Error != nil:
		return nil, full.Error
	case full.PubAck == nil || full.Stream == "":
		return nil, jetstream.ErrInvalidJSAck
	}
	return full.PubAck, nil
}

// plainAck parses {"stream":"NAME","seq":NUMBER}.
func plainAck(reply []byte) (ack *jetstream.PubAck, ok bool) {
	rest, ok1 := bytes.CutPrefix(reply, []byte(`{"stream":"`))
	stream, rest, ok2 := bytes.Cut(rest, []byte(`","seq":`))
	digits, ok3 := bytes.CutSuffix(rest, []byte(`}`))
	sequence, err := strconv.ParseUint(string(digits), 10, 64)
	if !ok1 || !ok2 || !ok3 || err != nil || len(stream) == 0 || bytes.ContainsAny(stream, `"\`) {
		return nil, false
	}
	return &jetstream.PubAck{Stream: string(stream), Sequence: sequence}, true
}
