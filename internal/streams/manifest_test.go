package streams_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/streams"
)

var update = flag.Bool("update", false, "write deploy/streams")

// manifests is what operators are given who make the streams themselves.
const manifests = "../../deploy/streams"

// production are the streams as the manifests have them: on a cluster.
var production = streams.Config{Names: names, Replicas: 3}

// TestTheManifestsAreOfTheStreams keeps deploy/streams as the streams are here. With -update it writes them.
func TestTheManifestsAreOfTheStreams(t *testing.T) {
	var nack bytes.Buffer
	nack.WriteString("# The streams of mkio-bridge for NACK, the JetStream controller: docs/streams.md says how they are used.\n" +
		"# Written by go test ./internal/streams -run Manifests -update; do not edit.\n")
	for _, config := range streams.All(production) {
		var asJSON bytes.Buffer
		encoder := json.NewEncoder(&asJSON)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(config); err != nil {
			t.Fatal(err)
		}
		checkFile(t, config.Name+".json", asJSON.Bytes())
		nack.WriteString(nackManifest(t, config))
	}
	checkFile(t, "nack.yaml", nack.Bytes())
}

func checkFile(t *testing.T, name string, want []byte) {
	t.Helper()
	path := filepath.Join(manifests, name)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(is, want) {
		t.Errorf("%s is not as the streams are: go test ./internal/streams -run Manifests -update", path)
	}
}

// nackNames are NACK's words for the fields of a stream; those that it has not are refused below.
var nackNames = map[string]string{
	"name": "name", "description": "description", "subjects": "subjects", "retention": "retention", "max_msgs": "maxMsgs",
	"max_bytes": "maxBytes", "discard": "discard", "max_age": "maxAge", "max_msgs_per_subject": "maxMsgsPerSubject",
	"max_msg_size": "maxMsgSize", "storage": "storage", "num_replicas": "replicas", "duplicate_window": "duplicateWindow",
	"sources": "sources", "deny_delete": "denyDelete", "deny_purge": "denyPurge", "allow_rollup_hdrs": "allowRollup",
	"allow_direct": "allowDirect", "allow_atomic": "allowAtomicPublish",
}

// nackManifest is a stream as a resource of NACK. A value is written as JSON, which is YAML too.
func nackManifest(t *testing.T, config jetstream.StreamConfig) string {
	t.Helper()
	asJSON, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(asJSON, &fields); err != nil {
		t.Fatal(err)
	}
	spec := map[string]any{}
	for field, value := range fields {
		switch name := nackNames[field]; {
		case value == false, value == nil, value == 0.0, field == "consumer_limits", value == "none": // as it is without being said
		case field == "max_age", field == "duplicate_window":
			spec[name] = duration(config, field)
		case field == "sources":
			spec[name] = nackSources(config)
		case name == "":
			t.Errorf("NACK has no word for %s: %v of %s", field, value, config.Name)
		default:
			spec[name] = value
		}
	}
	var b strings.Builder
	resource := strings.ToLower(strings.ReplaceAll(config.Name, "_", "-"))
	fmt.Fprintf(&b, "---\napiVersion: jetstream.nats.io/v1beta2\nkind: Stream\nmetadata:\n  name: %s\nspec:\n", resource)
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		var value bytes.Buffer
		encoder := json.NewEncoder(&value)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(spec[name]); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s: %s", name, value.String())
	}
	fmt.Fprint(&b, "  preventDelete: true\n")
	return b.String()
}

func duration(config jetstream.StreamConfig, field string) string {
	if field == "max_age" {
		return config.MaxAge.String()
	}
	return config.Duplicates.String()
}

func nackSources(config jetstream.StreamConfig) []any {
	var all []any
	for _, s := range config.Sources {
		var transforms []any
		for _, t := range s.SubjectTransforms {
			transforms = append(transforms, map[string]string{"source": t.Source, "dest": t.Destination})
		}
		all = append(all, map[string]any{"name": s.Name, "subjectTransforms": transforms})
	}
	return all
}

// Streams that are made of the files are as the bridge needs them.
func TestStreamsOfTheManifestsAreAsTheBridgeNeedsThem(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	for _, config := range streams.All(production) { // in the order in which they can be made
		content, err := os.ReadFile(filepath.Join(manifests, config.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var read jetstream.StreamConfig
		if err := json.Unmarshal(content, &read); err != nil {
			t.Fatal(err)
		}
		read.Replicas = 1 // this is one server
		if _, err := js.CreateStream(t.Context(), read); err != nil {
			t.Fatalf("%s: %v", config.Name, err)
		}
	}
	for _, s := range streams.Verify(t.Context(), js, streams.Config{Names: names, Replicas: 1}) {
		if s.Err != nil {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
	}
}
