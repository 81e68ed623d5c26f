package schemas_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/schematest"
)

// absent removes a member.
type absent struct{}

// A mutation changes one member of an example, so that its schema must refuse it.
type mutation struct {
	example string
	member  string // path below headers or payload
	value   any
}

func (m mutation) String() string {
	value, _ := json.Marshal(m.value)
	if _, ok := m.value.(absent); ok {
		value = []byte("absent")
	}
	return m.example + " with " + m.member + " " + string(value)
}

func TestInvalidValuesAreRefused(t *testing.T) {
	for id, misses := range map[string][]mutation{
		"urn:mkio-bridge:schema:event:1": {
			{"event-first", "specversion", "0.3"},
			{"event-first", "id", "775A8B1DA0D09D3025DB90FE1A2FFEBC"},
			{"event-first", "source", "no address"},
			{"event-first", "type", "mkio.job.state.finished"},
			{"event-first", "subject", ""},
			{"event-first", "time", "2031-03-04 10:05:44"},
			{"event-first", "time", absent{}},
			{"event-first", "datacontenttype", "text/plain"},
			{"event-first", "dataschema", "urn:mkio-bridge:schema:state-changed:2"},
			{"event-first", "partitionkey", "job.aurora-vod.ladder hd"},
			{"event-first", "recordedtime", absent{}},
			{"event-first", "traceparent", "x"},
			{"event-first", "traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01"},
			{"event-first", "tracestate", "two\nlines=1"},
			{"event-first", "tracestate", "long=" + strings.Repeat("x", 512)},
			{"event-first", "more", "x"},
			{"event-first", "data", "x"},
			{"event-first", "data/kind", "cassette"},
			{"event-first", "data/project", ""},
			{"event-first", "data/name", ""},
			{"event-first", "data/path", []string{}},
			{"event-first", "data/path", []string{"a", ""}},
			{"event-first", "data/path", []string{"a", "b", "c", "d"}},
			{"event-first", "data/transition", 0},
			{"event-first", "data/transition", 1.5},
			{"event-first", "data/transition", 2},     // a second event needs a predecessor
			{"event-first", "data/previousState", ""}, // a first event has none
			{"event-changed", "data/transition", 1},   // nor has this
			{"event-changed", "data/previousHash", "abc"},
			{"event-changed", "data/previousHash", absent{}},
			{"event-changed", "data/previousState", absent{}},
			{"event-changed", "data/previousPhase", absent{}},
			{"event-changed", "data/transition", 0},
			{"event-changed", "data/state", nil},
			{"event-changed", "data/phase", "done"},
			{"event-changed", "data/provisioningState", absent{}},
			{"event-changed", "data/evidence/timeFrom", "guess"},
			{"event-changed", "data/evidence/timeFrom", absent{}},
			{"event-changed", "data/evidence/previousSequence", 0},
			{"event-changed", "data/evidence/seenAfter", "yesterday"},
			{"event-changed", "data/evidence/more", 1},
			{"event-changed", "data/via", "fax"},
			{"event-changed", "data/delivery/id", ""},
			{"event-changed", "data/delivery/type", ""},
			{"event-changed", "data/delivery/more", 1},
			{"event-changed", "data/delivery/receivedTime", absent{}},
			{"event-changed", "data/correlationData", []string{}},
			{"event-changed", "data/resource", "text"},
			{"event-changed", "data/more", 1},
			{"event-history", "data/errors/0/message", absent{}},
			{"event-history", "data/errors/0/more", 1},
			{"event-history", "data/errors", "it failed"},
			{"event-resource-omitted", "data/resourceOmitted", true},
		},
		"urn:mkio-bridge:schema:event-headers:1": {
			{"event-changed", "Content-Type", "application/json"},
			{"event-changed", "Content-Type", absent{}},
			{"event-changed", "Mkio-State", absent{}},
			{"event-changed", "Mkio-State", "Wär"},
			{"event-changed", "Mkio-Transition", "0"},
			{"event-changed", "Mkio-Transition", "1.5"},
			{"event-provisioning-failed", "Mkio-Provisioning-State", ""},
			{"event-changed", "Mkio-Life", "a life"},
			{"event-changed", "Mkio-Time", "10:19"},
			{"event-changed", "Mkio-Modified", ""},
			{"event-deleted", "Mkio-Seen-After", "1"},
			{"event-deleted", "Mkio-Seen-Before", "1"},
			{"event-changed", "Mkio-Delivery-Id", "d 1"},
			{"event-changed", "Mkio-Hash", "AB"},
			{"event-changed", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
			{"event-changed", "traceparent", "4bf92f3577b34da6a3ce929d0e0e4736"},
			{"event-changed", "tracestate", ""},
			{"event-changed", "Mkio-Hash", absent{}},
			{"event-changed", "Mkio-Else", "x"},
			{"event-changed", "ce-id", "x"},
		},
		"urn:mkio-bridge:schema:unapplied:1": {
			{"unapplied-late", "Mkio-Reason", "repeat"},
			{"unapplied-late", "Mkio-Reason", absent{}},
			{"unapplied-late", "Mkio-Detail", "older than the rest"},
			{"unapplied-late", "Mkio-Detail", absent{}},
			{"unapplied-late", "Mkio-Received", "now"},
			{"unapplied-late", "Mkio-Received", absent{}},
			{"unapplied-late", "Mkio-Body-Length", "-1"},
			{"unapplied-late", "Mkio-Body-Length", absent{}},
			{"unapplied-late", "Mkio-Body-Sha256", "ab"},
			{"unapplied-late", "Mkio-Body-Sha256", absent{}},
			{"unapplied-late", "Mkio-State", "Running"},
			{"unapplied-late", "traceparent", ""},
			{"unapplied-late", "tracestate", ""},
		},
		"urn:mkio-bridge:schema:coverage:1": {
			{"coverage-covered", "schema", "urn:mkio-bridge:schema:coverage:2"},
			{"coverage-covered", "record", "swept"},
			{"coverage-covered", "record", absent{}},
			{"coverage-covered", "record", "gap-opened"},
			{"coverage-covered", "record", "gap-closed"},
			{"coverage-covered", "project", ""},
			{"coverage-covered", "kind", "channel-instance"},
			{"coverage-covered", "from", absent{}},
			{"coverage-covered", "to", absent{}},
			{"coverage-covered", "due", absent{}},
			{"coverage-covered", "due", "soon"},
			{"coverage-covered", "resources", -1},
			{"coverage-covered", "resources", absent{}},
			{"coverage-covered", "rested", -1},
			{"coverage-covered", "rested", absent{}},
			{"coverage-covered", "differed", -1},
			{"coverage-covered", "differed", absent{}},
			{"coverage-covered", "repaired", -1},
			{"coverage-covered", "repaired", absent{}},
			{"coverage-covered", "recordedtime", "now"},
			{"coverage-covered", "horizon", 0},
			{"coverage-covered", "reason", "it went well"},
			{"coverage-covered", "recordedtime", absent{}},
			{"coverage-covered", "more", 1},
			{"coverage-gap-opened", "to", "2031-03-04T10:00:07Z"},
			{"coverage-gap-opened", "reason", absent{}},
			{"coverage-gap-opened", "reason", ""},
			{"coverage-gap-opened", "due", "2031-03-04T10:00:07Z"},
			{"coverage-gap-opened", "horizon", 1},
			{"coverage-gap-opened", "resources", 1},
			{"coverage-gap-opened", "rested", 1},
			{"coverage-gap-closed", "differed", 1},
			{"coverage-gap-closed", "repaired", 1},
			{"coverage-gap-closed", "to", absent{}},
			{"coverage-gap-closed", "reason", ""},
			{"coverage-gap-closed", "record", "swept"},
		},
		"urn:mkio-bridge:schema:progress-event:1": {
			{"progress", "specversion", "0.3"},
			{"progress", "id", "x"},
			{"progress", "source", "no address"},
			{"progress", "type", "mkio.job.state.changed"},
			{"progress", "subject", ""},
			{"progress", "time", absent{}},
			{"progress", "datacontenttype", "text/plain"},
			{"progress", "dataschema", "urn:mkio-bridge:schema:progress:2"},
			{"progress", "partitionkey", "live-output.harbor-live.cam.dvr"},
			{"progress", "more", "x"},
			{"progress", "data/kind", "asset"},
			{"progress", "data/project", ""},
			{"progress", "data/name", ""},
			{"progress", "data/path", []string{"ep-0417"}},
			{"progress", "data/path", []string{"ladder-hd", ""}},
			{"progress", "data/life", ""},
			{"progress", "data/percent", -1},
			{"progress", "data/percent", 101},
			{"progress", "data/percent", 40.5},
			{"progress", "data/percent", absent{}},
			{"progress", "data/label", ""},
			{"progress", "data/more", 1},
		},
	} {
		for _, m := range misses {
			e, ok := readExamples(t)[m.example]
			if !ok {
				t.Fatalf("there is no example %s", m.example)
			}
			if err := schematest.Validate(id, m.apply(t, e.part(t, id))); err == nil {
				t.Errorf("%s accepts %s", id, m)
			}
		}
	}
}

// part returns the part of a message that a schema describes: its headers or its payload.
func (e example) part(t *testing.T, id string) []byte {
	t.Helper()
	if id != "urn:mkio-bridge:schema:event-headers:1" && id != "urn:mkio-bridge:schema:unapplied:1" {
		return e.Payload
	}
	headers, err := json.Marshal(e.Headers)
	if err != nil {
		t.Fatal(err)
	}
	return headers
}

// Each member of each example is refused with a value of another type, and each time also with another text.
func TestWrongTypesAreRefused(t *testing.T) {
	tried := 0
	for name, e := range readExamples(t) {
		what, _, _ := strings.Cut(name, "-")
		for _, id := range map[string][]string{
			"event":     {"urn:mkio-bridge:schema:event:1", "urn:mkio-bridge:schema:event-headers:1"},
			"unapplied": {"urn:mkio-bridge:schema:unapplied:1"},
			"coverage":  {"urn:mkio-bridge:schema:coverage:1"},
			"progress":  {"urn:mkio-bridge:schema:progress-event:1"},
		}[what] {
			whole := any(parse(t, e.part(t, id)))
			refused := func(what string) {
				tried++
				content, err := json.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				if schematest.Validate(id, content) == nil {
					t.Errorf("%s: %s accepts %s", name, id, what)
				}
			}
			mutateTypes("", whole, func(value any) { whole = value }, refused)
		}
	}
	if tried < 500 {
		t.Errorf("only %d members", tried)
	}
}

// mutateTypes calls try with a value, and each nested value, replaced by one of another type. It skips the content of
// MK.IO's record and of correlation data, which the schemas do not type.
func mutateTypes(path string, value any, set func(any), try func(what string)) {
	others := []any{true}
	if text, ok := value.(string); ok {
		if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
			others = append(others, "yesterday")
		}
	}
	for _, other := range others {
		set(other)
		try(fmt.Sprintf("%s %v", path, other))
	}
	set(value)
	if path == "/data/resource" || path == "/data/correlationData" {
		return
	}
	switch v := value.(type) {
	case object:
		for name, member := range v {
			mutateTypes(path+"/"+name, member, func(other any) { v[name] = other }, try)
		}
	case []any:
		for i, item := range v {
			mutateTypes(path+"/"+strconv.Itoa(i), item, func(other any) { v[i] = other }, try)
		}
	}
}

// apply returns the document with the one member changed.
func (m mutation) apply(t *testing.T, document []byte) []byte {
	t.Helper()
	var whole any
	if err := json.Unmarshal(document, &whole); err != nil {
		t.Fatal(err)
	}
	path := strings.Split(m.member, "/")
	container := whole
	for _, step := range path[:len(path)-1] {
		switch p := container.(type) {
		case object:
			container = p[step]
		case []any: // the first item
			container = p[0]
		}
	}
	object, ok := container.(object)
	if !ok {
		t.Fatalf("%s: the path does not exist", m)
	}
	last := path[len(path)-1]
	if _, ok := m.value.(absent); ok {
		if _, there := object[last]; !there {
			t.Fatalf("%s: the member does not exist", m)
		}
		delete(object, last)
	} else {
		object[last] = m.value
	}
	changed, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
