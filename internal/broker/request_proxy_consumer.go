package broker

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// tooManyConsumers is what the server answers when there are as many consumers as may be.
const tooManyConsumers = `{"type":"io.nats.jetstream.api.v1.consumer_create_response","error":{"code":400,"err_code":10026,"description":"maximum consumers limit reached"}}`

// makeConsumer has a consumer made, with its limits. Those of the bridge and of readers are counted together, and
// the bridge may have more: so it finds room when readers have taken all of theirs.
func (p *porter) makeConsumer(m *nats.Msg) {
	began := time.Now()
	if p.consumers() >= MostConsumers {
		_ = p.nc.Publish(m.Reply, []byte(tooManyConsumers)) // the server stops
		p.rest(time.Since(began))
		return
	}
	request, pushes := slower(m.Data)
	if pushes && p.pushes.Wait(p.ctx) != nil {
		return
	}
	began = time.Now()
	answer, err := p.request(m.Subject, m.Header, request)
	if err == nil {
		_ = p.nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: answer.Header, Data: answer.Data}) // the server stops
	}
	p.rest(time.Since(began))
}

// consumers is how many there are.
func (p *porter) consumers() (count int) {
	for _, s := range p.streams() {
		count += s.State.Consumers
	}
	return count
}

// slower gives a consumer that pushes a rate at which the server can send what it finds. One without would find all
// that a stream has at once, and have it in memory until its reader takes it.
func slower(request []byte) (remadeRequest []byte, pushes bool) {
	var fields struct {
		rest   map[string]json.RawMessage
		config map[string]json.RawMessage
	}
	if json.Unmarshal(request, &fields.rest) != nil || json.Unmarshal(fields.rest["config"], &fields.config) != nil {
		return request, false // which the server refuses
	}
	if to := string(fields.config["deliver_subject"]); to == "" || to == `""` || to == "null" {
		return request, false
	}
	most := uint64(plainPush)
	if string(fields.config["flow_control"]) == "true" {
		most = flowPush
	}
	most *= 8 // it is told in bits
	if asked, err := strconv.ParseUint(string(fields.config["rate_limit_bps"]), 10, 64); err != nil || asked == 0 || asked > most {
		fields.config["rate_limit_bps"] = json.RawMessage(strconv.FormatUint(most, 10))
	}
	fields.rest["config"] = remade(fields.rest["config"], fields.config)
	return remade(request, fields.rest), true
}
