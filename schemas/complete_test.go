package schemas_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/streams"
	"mkio-bridge/schemas"
)

// The schemas have the members that the code writes, and the values of its enumerations.
func TestSchemasMatchTheCode(t *testing.T) {
	data, coverage, evidence := jsonSchema(t, "state-changed.schema.json"), jsonSchema(t, "coverage.schema.json"), jsonSchema(t, "evidence.schema.json")
	for what, c := range map[string]struct {
		schema object
		of     any
	}{
		"data":     {data, event.Data{}},
		"evidence": {in(data, "properties", "evidence"), event.Evidence{}},
		"delivery": {in(data, "properties", "delivery"), event.Delivery{}},
		"error":    {in(data, "properties", "errors", "items"), event.Problem{}},
		"coverage": {coverage, event.Coverage{}},
		"progress": {jsonSchema(t, "progress.schema.json"), event.ProgressData{}},

		"evidence file":            {evidence, audit.Evidence{}},
		"evidence file, made":      {in(evidence, "properties", "made"), audit.Made{}},
		"evidence file, log":       {in(evidence, "properties", "log"), audit.LogExtent{}},
		"evidence file, period":    {in(evidence, "properties", "period"), audit.Period{}},
		"evidence file, filters":   {in(evidence, "properties", "filters"), audit.Filters{}},
		"evidence file, verified":  {in(evidence, "properties", "verification"), audit.Verification{}},
		"evidence file, no proofs": {in(evidence, "properties", "notProvable", "items"), audit.NotProvable{}},
	} {
		same(t, what, slices.Collect(maps.Keys(in(c.schema, "properties"))), members(c.of))
	}
	own := slices.Collect(maps.Keys(in(evidence, "$defs", "coverage", "properties")))
	same(t, "evidence file, coverage", append(own, "-", "marks"), members(audit.Coverage{})) // marks are for GET /v1/audit
	same(t, "event", slices.Collect(maps.Keys(in(jsonSchema(t, "event.schema.json"), "properties"))), attributes(t))
	words := func(schema object, path ...string) []string { return texts(in(schema, path...)["enum"]) }
	same(t, "kinds", words(data, "properties", "kind"), strs(lifecycle.Kinds()))
	same(t, "phases", words(data, "$defs", "phase"), strs(lifecycle.Phases()))
	same(t, "via", words(data, "properties", "via"), strs([]lifecycle.Via{lifecycle.Webhook, lifecycle.Poll, lifecycle.History}))
	same(t, "timeFrom", words(data, "properties", "evidence", "properties", "timeFrom"), []string{event.TimeFromMKIO, event.TimeFromObserved})
	same(t, "reasons", words(jsonSchema(t, "unapplied.schema.json"), "properties", "Mkio-Reason"), strs(lifecycle.Reasons()))
	same(t, "records", words(coverage, "properties", "record"), strs([]event.CoverageRecord{event.Covered, event.GapOpened, event.GapClosed}))
	polled := slices.DeleteFunc(lifecycle.Kinds(), func(k lifecycle.Kind) bool { return k == lifecycle.ChannelInstance })
	same(t, "kinds of evidence", words(evidence, "$defs", "kind"), strs(lifecycle.Kinds()))
	same(t, "swept kinds", words(coverage, "properties", "kind"), strs(polled))
}

func strs[S ~string](list []S) (all []string) {
	for _, s := range list {
		all = append(all, string(s))
	}
	return all
}

// attributes returns the attributes that an event in a trace has, and its data.
func attributes(t *testing.T) []string {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, "p", "t", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	encoder := event.Encoder{Names: event.NewNames(event.DefaultPrefix), BaseURL: "https://app.mk.io", MaxPayload: 1 << 20, Origin: event.Trace{Parent: "p", State: "s"}}
	var m event.Message
	if err := encoder.Encode(&m, lifecycle.Observation{Key: key, State: "Finished", At: time.Now(), Source: "/s", Subject: "s"}, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(m.Payload, &members); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(maps.Keys(members))
}

// members returns the JSON names of a struct's fields.
func members(of any) (all []string) {
	for field := range reflect.TypeOf(of).Fields() {
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, name)
	}
	return all
}

func TestSchemasDescribeEachHeader(t *testing.T) {
	content, err := schemas.Read(schemas.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	named := slices.Collect(maps.Keys(in(jsonSchema(t, "event-headers.schema.json"), "properties")))
	named = append(named, slices.Collect(maps.Keys(in(jsonSchema(t, "unapplied.schema.json"), "properties")))...)
	if strings.Contains(string(content), "`"+event.HeaderProbe+"`") { // no stored message has it, so no schema does
		named = append(named, event.HeaderProbe)
	}
	named = slices.Compact(slices.Sorted(slices.Values(named))) // both kinds of messages have the trace headers
	same(t, "headers", named, headersInCode(t))
}

// headersInCode returns the values of the constants Header… of internal/event.
func headersInCode(t *testing.T) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/event/header.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Header") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	return values
}

// The document's stream configurations are those that the bridge creates. Streams that it does not create are skipped.
func TestDocumentDescribesTheStreams(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	config := streams.Config{Names: names, Replicas: 1, Create: true}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if _, err := streams.EnsureProgress(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	if _, err := notify.OpenStream(t.Context(), js, names, notify.StreamOptions{Create: true, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	document := asyncAPI(t)
	described := in(document, "x-jetstream", "streams")
	same(t, "streams", slices.Collect(maps.Keys(described)), []string{names.EventStream(), names.UnappliedStream(), names.AuditStream(), names.StateStream(), names.ProgressStream(), names.NotifyFailedStream()})
	compared := 0
	for name := range described {
		stream, err := js.Stream(t.Context(), name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compared++
		content, err := json.Marshal(stream.CachedInfo().Config)
		if err != nil {
			t.Fatal(err)
		}
		is := parse(t, content)
		for setting, value := range in(described, name, "config") {
			if !reflect.DeepEqual(is[setting], value) {
				t.Errorf("%s: %s is %v, and %v in the document", name, setting, is[setting], value)
			}
		}
	}
	if compared < 3 {
		t.Errorf("only %d streams were compared", compared)
	}
	for name, channel := range in(document, "channels") {
		if stream := in(channel.(object), "x-jetstream")["stream"]; described[stream.(string)] == nil {
			t.Errorf("the channel %s is on a stream %s that is not described", name, stream)
		}
	}
}
