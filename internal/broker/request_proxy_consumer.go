package broker

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// tooManyConsumers is the server's response when the maximum number of consumers is reached.
const tooManyConsumers = `{"type":"io.nats.jetstream.api.v1.consumer_create_response","error":{"code":400,"err_code":10026,"description":"maximum consumers limit reached"}}`

// createConsumer forwards the creation of a consumer, with limits. The bridge's and the readers' consumers are counted
// together, and only readers are refused at the limit, so that the bridge can always create its own.
func (p *requestProxy) createConsumer(m *nats.Msg) {
	start := time.Now()
	if p.consumers() >= ReaderConsumerLimit {
		_ = p.nc.Publish(m.Reply, []byte(tooManyConsumers)) // an error means that the server is stopping
		p.pause(time.Since(start))
		return
	}
	request, pushes := limitPush(m.Data)
	if pushes && p.pushLimiter.Wait(p.ctx) != nil {
		return
	}
	start = time.Now()
	response, err := p.request(m.Subject, m.Header, request)
	if err == nil {
		_ = p.nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: response.Header, Data: response.Data}) // an error means that the server is stopping
	}
	p.pause(time.Since(start))
}

// consumers returns the number of consumers of all streams.
func (p *requestProxy) consumers() (count int) {
	for _, s := range p.streams() {
		count += s.State.Consumers
	}
	return count
}

// limitPush adds a rate limit to the configuration of a push consumer. Without one, the server reads the whole stream at
// once, and keeps it in memory until the reader has received it.
func limitPush(request []byte) (limited []byte, pushes bool) {
	var fields struct {
		rest   map[string]json.RawMessage
		config map[string]json.RawMessage
	}
	if json.Unmarshal(request, &fields.rest) != nil || json.Unmarshal(fields.rest["config"], &fields.config) != nil {
		return request, false // the server refuses it
	}
	if to := string(fields.config["deliver_subject"]); to == "" || to == `""` || to == "null" {
		return request, false
	}
	maxRate := uint64(pushRate)
	if string(fields.config["flow_control"]) == "true" {
		maxRate = flowControlPushRate
	}
	maxRate *= 8 // the limit is in bits
	if given, err := strconv.ParseUint(string(fields.config["rate_limit_bps"]), 10, 64); err != nil || given == 0 || given > maxRate {
		fields.config["rate_limit_bps"] = json.RawMessage(strconv.FormatUint(maxRate, 10))
	}
	fields.rest["config"] = encodeOr(fields.rest["config"], fields.config)
	return encodeOr(request, fields.rest), true
}
