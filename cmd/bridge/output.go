package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/spelling"
)

// A format is the value of --output.
type format string

// The formats.
const (
	formatText format = "text"
	formatJSON format = "json" // a line for each object
	formatYAML format = "yaml" // a document for each object, which begins with ---
	formatName format = "name" // a line for each object: what other commands take as arguments
)

// outputFlag defines --output. json describes an object, e.g. "the CloudEvent". name describes a line of the format name; ""
// if the command does not have that format.
func outputFlag(cmd *cobra.Command, into *format, json, name string) {
	formats := []format{formatText, formatJSON, formatYAML}
	usage := "output `FORMAT`: text (default), json (one object per line: " + json + "), yaml (one document per object)"
	if name != "" {
		formats = append(formats, formatName)
		usage += ", name (" + name + ")"
	}
	*into = formatText
	cmd.Flags().FuncP("output", "o", usage, func(v string) error {
		if !slices.Contains(formats, format(v)) {
			return fmt.Errorf("must be %s; did you mean %s?", words(formats), spelling.Nearest(v, asStrings(formats)))
		}
		*into = format(v)
		return nil
	})
	completeFlag(cmd, "output", fixed(asStrings(formats)...))
}

// isObject reports whether a format has the fields of an object.
func (f format) isObject() bool { return f == formatJSON || f == formatYAML }

// print writes an object.
func (f format) print(w io.Writer, v any) error {
	if f != formatYAML {
		return printJSON(w, v)
	}
	var object bytes.Buffer
	if err := printJSON(&object, v); err != nil {
		return err
	}
	return printYAML(w, object.Bytes())
}

// printJSON writes v as one line of JSON.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printYAML writes a JSON value as a YAML document, with the members in their order.
func printYAML(w io.Writer, value []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	node, err := yamlNode(decoder)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "---\n"); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(node); err != nil {
		return err
	}
	return encoder.Close()
}

// yamlNode reads the next JSON value. Objects are not decoded into maps, which have no order, and JSON is not parsed as YAML,
// which does not have JSON's surrogate pairs.
func yamlNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	scalar := &yaml.Node{Kind: yaml.ScalarNode}
	switch t := token.(type) {
	case json.Delim:
		return yamlContent(decoder, t)
	case string:
		scalar.Tag, scalar.Value = "!!str", t // the tag has the encoder quote texts such as "true"
	case json.Number:
		scalar.Value = t.String()
	case bool:
		scalar.Value = strconv.FormatBool(t)
	case nil:
		scalar.Value = "null"
	}
	return scalar, nil
}

// yamlContent reads the rest of a JSON object or array.
func yamlContent(decoder *json.Decoder, begin json.Delim) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	if begin == '[' {
		node.Kind = yaml.SequenceNode
	}
	for decoder.More() {
		child, err := yamlNode(decoder)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, child)
	}
	_, err := decoder.Token()
	return node, err
}

// A table is the output of a command that prints rows of columns.
type table struct{ noHeaders bool }

// addHeadersFlag defines --no-headers.
func (t *table) addHeadersFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.noHeaders, "no-headers", false, "text: no column headers")
}

// header writes the column headers.
func (t table) header(w io.Writer, format string, columns ...any) {
	if !t.noHeaders {
		fmt.Fprintf(w, format+"\n", columns...)
	}
}

// asStrings returns words as strings.
func asStrings[T ~string](words []T) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = string(word)
	}
	return all
}

// words lists words, e.g. "recorded or time".
func words[T ~string](all []T) string {
	last := len(all) - 1
	return strings.Join(asStrings(all[:last]), ", ") + " or " + string(all[last])
}
