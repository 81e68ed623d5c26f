package event

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
)

// ProgressSchema identifies the JSON Schema of the data of [Progress]; the schemas package holds it.
const ProgressSchema = "urn:mkio-bridge:schema:progress:1"

// progressType is the CloudEvents type of the progress of a job.
const progressType = "mkio.job.progress"

// A Progress is how far a running job is. It is not in the log: it is stored in a bucket of its own as a CloudEvent, each time in
// place of the one before.
type Progress struct {
	Key     lifecycle.Key
	Life    string
	Percent int
	Output  string    // label of the output that is least far, else its asset
	Time    time.Time // of the response that showed it, on MK.IO's clock
	Source  string    // address of the job
	Subject string    // path of the job inside the project's API
}

// IsOf reports whether a progress is that of the job whose last event has a state and a life: the bucket may have what another life
// of the name left, and what is out of date by the end of the job.
func (p Progress) IsOf(kind lifecycle.Kind, state, life string) bool {
	return lifecycle.HasProgress(kind, state) && (p.Life == life || p.Life == "" || life == "")
}

// ProgressData is the data of the CloudEvent of a [Progress].
type ProgressData struct {
	Kind    lifecycle.Kind `json:"kind"`
	Project string         `json:"project"`
	Name    string         `json:"name"`
	Path    []string       `json:"path"`
	Life    string         `json:"life,omitempty"`
	Percent int            `json:"percent"`
	Label   string         `json:"label,omitempty"`
}

// encode encodes a progress as a CloudEvent. resource is the token of the job.
func (p Progress) encode(resource string) ([]byte, error) {
	source := types.ParseURIRef(p.Source)
	if source == nil {
		return nil, fmt.Errorf("progress of %s: source %q is not a URI reference", p.Key, p.Source)
	}
	at := p.Time.UTC()
	e := cloudevents.Event{Context: &cloudevents.EventContextV1{
		ID: p.id(resource, at), Source: *source, Type: progressType, Subject: &p.Subject, Time: &types.Timestamp{Time: at},
		DataContentType: &dataContentType, DataSchema: progressSchema, Extensions: map[string]any{extensionPartitionKey: resource},
	}}
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("progress of %s: %w", p.Key, err)
	}
	var err error
	e.DataEncoded, err = json.Marshal(ProgressData{ // as bytes: SetData would write them as base64
		Kind: p.Key.Kind, Project: p.Key.Project, Name: p.Key.Name(), Path: p.Key.Names(), Life: p.Life, Percent: p.Percent, Label: p.Output,
	})
	if err != nil {
		return nil, fmt.Errorf("progress of %s: %w", p.Key, err)
	}
	return e.MarshalJSON()
}

var progressSchema = types.ParseURI(ProgressSchema)

// id derives the id of a progress from what it says, so that a retry of a write has the same.
func (p Progress) id(resource string, at time.Time) string {
	of := resource + "\n" + p.Life + "\n" + p.Output + "\n" + strconv.Itoa(p.Percent) + "\n" + at.Format(time.RFC3339Nano)
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:idDigits/2])
}

// Headers of the bucket of progress, as clients of key-value buckets know them.
const (
	headerOperation = "KV-Operation" // says that a message is no value
	operationDelete = "DEL"
)

// ProgressMessage returns the message that stores a progress in the bucket; nil deletes it.
func (n Names) ProgressMessage(resource string, p *Progress) (*nats.Msg, error) {
	msg := nats.NewMsg(n.ProgressSubject(resource))
	if p == nil {
		msg.Header.Set(headerOperation, operationDelete)
		return msg, nil
	}
	msg.Header.Set(HeaderContentType, ContentType)
	var err error
	msg.Data, err = p.encode(resource)
	return msg, err
}

// ParseProgress reads a message of the bucket of progress; stored is false if the message says that the job has none any more.
func ParseProgress(header nats.Header, payload []byte) (p Progress, stored bool, err error) {
	if header.Get(headerOperation) != "" || header.Get(jetstream.MarkerReasonHeader) != "" {
		return Progress{}, false, nil
	}
	p, err = decodeProgress(payload)
	return p, err == nil, err
}

// decodeProgress decodes the CloudEvent of a progress.
func decodeProgress(payload []byte) (p Progress, err error) {
	defer func() {
		if r := recover(); r != nil { // the SDK panics on some JSON
			p, err = Progress{}, fmt.Errorf("decode progress: the CloudEvents SDK panicked: %v", r)
		}
	}()
	var e cloudevents.Event
	if err := e.UnmarshalJSON(payload); err != nil {
		return Progress{}, fmt.Errorf("decode progress: %w", err)
	}
	var data ProgressData
	if err := json.Unmarshal(e.DataEncoded, &data); err != nil {
		return Progress{}, fmt.Errorf("decode progress: %w", err)
	}
	key, err := lifecycle.NewKey(data.Kind, data.Project, data.Path...)
	if err != nil {
		return Progress{}, fmt.Errorf("decode progress: %w", err)
	}
	return Progress{
		Key: key, Life: data.Life, Percent: data.Percent, Output: data.Label, Time: e.Time(), Source: e.Source(), Subject: e.Subject(),
	}, nil
}
