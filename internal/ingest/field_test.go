package ingest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// Deliveries as MK.IO sent them in production.
const (
	corrDelivery = `{"specversion":"1.0","id":"c-1","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/corr","time":"2031-03-04T10:00:00Z","data":{"projectName":"p1","state":"Finished","resource":{"name":"corr","properties":{"state":"Finished","lastModified":"2031-03-04T10:00:00Z","correlationData":` + corrData + `}}}}`
	corrData     = `{"houseKey":"LH-0417","episodeUri":"urn:ebu:ep:0417","tenantKey":"blue","when":"2031-03-04","externalAuth":"house","owner":"desk@example.com","query":"show?ep=7","big":12345678901234567890.5,"compass":"north","token_count":"17"}`
	oddDelivery  = `{"specversion":"1.0","id":"c-2","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/odd","time":"2031-03-04T10:00:00Z","data":{"projectName":"p1","state":"Finished","resource":{"name":"odd","properties":{"state":"Finished","description":"cut \ud83d here \u0000 nul","a":1,"a":2,"n":1e400,"i":123456789012345678901234567890}}}}`
	bomDelivery  = "\ufeff" + `{"specversion": "1.0", "id": "e-1", "type": "MediaKind.JobFinished", "source": "/api/v1/projects/p1/transforms/t/jobs/j", "time": "2031-03-04T10:00:00Z", "data": {"projectName": "p1", "state": "Finished"}}`
)

var everyResourcePolicy = []mkio.ResourcePolicy{mkio.ResourceRedacted, mkio.ResourceFull, mkio.ResourceNone}

// postOne posts a delivery and returns the data of the only event in the log.
func (f *fixture) postOne(body string) (data struct{ CorrelationData, Resource json.RawMessage }) {
	f.t.Helper()
	if response := f.post(body, nil); response.StatusCode != http.StatusNoContent {
		f.t.Fatalf("status %d", response.StatusCode)
	}
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if !jsontext.Value(e.Payload).IsValid() { // strict parsers reject duplicate names and lone surrogates
			f.t.Errorf("an event that strict JSON parsers reject: %s", e.Payload)
		}
		var plain any
		if err := json.Unmarshal(e.Payload, &plain); err != nil { // for instance a number out of a float64's range
			f.t.Errorf("an event that strict JSON parsers reject: %v: %s", err, e.Payload)
		}
		whole := struct{ Data any }{&data}
		if err := json.Unmarshal(e.Payload, &whole); err != nil {
			f.t.Fatal(err)
		}
	}
	return data
}

func TestCorrelationDataIsUnchanged(t *testing.T) {
	for _, policy := range everyResourcePolicy {
		f := setUp(t, func(c *ingest.Config) { c.Decoder = mkio.Decoder{Resource: policy} })
		data := f.postOne(corrDelivery)
		if string(data.CorrelationData) != corrData {
			t.Errorf("policy %d: correlation data %s\nwant %s", policy, data.CorrelationData, corrData)
		}
		if policy != mkio.ResourceNone && !strings.Contains(string(data.Resource), corrData) {
			t.Errorf("policy %d: the record is %s", policy, data.Resource)
		}
	}
}

// An unapplied delivery is stored with its correlation data unchanged, so that a retry commits the same.
func TestCorrelationDataOfAnUnappliedDelivery(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder = mkio.Decoder{Projects: []string{"p2"}} })
	if response := f.post(corrDelivery, nil); response.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", response.StatusCode)
	}
	for k, err := range eventlog.New(f.js, names).Unapplied(t.Context()) {
		if err != nil || k.Reason != lifecycle.ReasonUnrecognised || !strings.Contains(string(k.Body), corrData) {
			t.Errorf("stored %s, %v", k.Body, err)
		}
	}
}

func TestEveryEventIsStrictJSON(t *testing.T) {
	for _, policy := range everyResourcePolicy {
		f := setUp(t, func(c *ingest.Config) { c.Decoder = mkio.Decoder{Resource: policy} })
		data := f.postOne(oddDelivery)
		want := "{\"name\":\"odd\",\"properties\":{\"state\":\"Finished\",\"description\":\"cut \ufffd here \\u0000 nul\",\"a\":2,\"n\":\"1e400\",\"i\":123456789012345678901234567890}}"
		if policy == mkio.ResourceNone {
			want = ""
		}
		if string(data.Resource) != want {
			t.Errorf("policy %d: the record is %s\nwant %s", policy, data.Resource, want)
		}
	}
}

func TestDeliveryWithByteOrderMark(t *testing.T) {
	f := setUp(t, nil)
	f.postOne(bomDelivery)
	if reasons := f.reasons(); len(reasons) > 0 {
		t.Errorf("unapplied: %v", reasons)
	}
}

func TestUTF16DeliveryIsRefusedByName(t *testing.T) {
	f := setUp(t, nil)
	response := f.post("\xff\xfe{\x00\"\x00", nil)
	problem, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(problem), "UTF-16") || !strings.Contains(string(problem), "UTF-8") {
		t.Errorf("status %d: %s", response.StatusCode, problem)
	}
}
