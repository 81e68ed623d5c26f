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

// manifestDir has the manifests for operators who create the streams themselves.
const manifestDir = "../../deploy/streams"

// clusterConfig is the configuration of the manifests, for a cluster.
var clusterConfig = streams.Config{Names: names, Replicas: 3, Progress: true}

// TestManifestsMatchTheStreams compares deploy/streams with the definitions. With -update it writes the files.
func TestManifestsMatchTheStreams(t *testing.T) {
	var nack bytes.Buffer
	nack.WriteString("# The streams of mkio-bridge for NACK, the JetStream controller: docs/streams.md says how they are used.\n" +
		"# Written by go test ./internal/streams -run Manifests -update; do not edit.\n")
	for _, config := range streams.All(clusterConfig) {
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
	path := filepath.Join(manifestDir, name)
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
		t.Errorf("%s differs from the definitions: go test ./internal/streams -run Manifests -update", path)
	}
}

// nackNames are NACK's names of the fields of a stream; a field without one is an error below.
var nackNames = map[string]string{
	"name": "name", "description": "description", "subjects": "subjects", "retention": "retention", "max_msgs": "maxMsgs",
	"max_bytes": "maxBytes", "discard": "discard", "max_age": "maxAge", "max_msgs_per_subject": "maxMsgsPerSubject",
	"max_msg_size": "maxMsgSize", "storage": "storage", "num_replicas": "replicas", "duplicate_window": "duplicateWindow",
	"sources": "sources", "deny_delete": "denyDelete", "deny_purge": "denyPurge", "allow_rollup_hdrs": "allowRollup",
	"allow_direct": "allowDirect", "allow_atomic": "allowAtomicPublish",
}

// nackManifest returns a stream as a NACK resource. Values are written as JSON, which is valid YAML.
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
		case value == false, value == nil, value == 0.0, field == "consumer_limits", value == "none": // the default
		case field == "max_age", field == "duplicate_window":
			spec[name] = duration(config, field)
		case field == "sources":
			spec[name] = nackSources(config)
		case name == "":
			t.Errorf("NACK has no field for %s: %v of %s", field, value, config.Name)
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

// Streams created from the files pass Verify.
func TestStreamsFromManifestsPassVerify(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	for _, config := range streams.All(clusterConfig) { // in the order of creation
		content, err := os.ReadFile(filepath.Join(manifestDir, config.Name+".json"))
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
	for _, s := range streams.Verify(t.Context(), js, streams.Config{Names: names, Replicas: 1, Progress: true}) {
		if s.Err != nil {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
	}
}
