package broker

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestParseAck(t *testing.T) {
	for reply, want := range map[string]jetstream.PubAck{
		`{"stream":"MKIO_EVENTS","seq":4711}`:                      {Stream: "MKIO_EVENTS", Sequence: 4711},
		`{"stream":"MKIO_EVENTS","seq":18446744073709551615}`:      {Stream: "MKIO_EVENTS", Sequence: 1<<64 - 1},
		`{"stream":"MKIO_EVENTS","seq":1,"duplicate":true}`:        {Stream: "MKIO_EVENTS", Sequence: 1, Duplicate: true},
		`{ "seq" : 7 , "domain":"hub", "stream" : "MKIO_EVENTS" }`: {Stream: "MKIO_EVENTS", Sequence: 7, Domain: "hub"},
		`{"stream":"a\u0022b","seq":7}`:                            {Stream: `a"b`, Sequence: 7},
	} {
		ack, err := parseAck([]byte(reply))
		if err != nil {
			t.Errorf("%s: %v", reply, err)
			continue
		}
		got, _ := json.Marshal(ack)
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) {
			t.Errorf("%s: parsed as %s, want %s", reply, got, wanted)
		}
	}
}

func TestInvalidAcks(t *testing.T) {
	for _, reply := range []string{
		``, `{}`, `null`, `[]`, `7`, `{"stream":"MKIO_EVENTS","seq":-1}`, `{"stream":"MKIO_EVENTS","seq":}`, `{"stream":"MKIO_EVENTS","seq":1`,
		`{"stream":"","seq":1}`, `{"seq":1}`, `{"stream":"MKIO_EVENTS","seq":99999999999999999999}`,
	} {
		if ack, err := parseAck([]byte(reply)); !errors.Is(err, jetstream.ErrInvalidJSAck) {
			t.Errorf("%s: %+v, %v", reply, ack, err)
		}
	}
	const refusal = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"MKIO_EVENTS","seq":0}`
	_, err := parseAck([]byte(refusal))
	if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10071 {
		t.Errorf("%s: %v", refusal, err)
	}
}
