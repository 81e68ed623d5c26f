package notify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/spelling"
	"mkio-bridge/schemas"
)

// SchemaFile is the name of the schema of rules files.
const SchemaFile = "notify-rules.schema.json"

// Load reads a rules file. Its error lists every mistake, each with the line.
func Load(name string) (*File, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, content)
}

// Parse parses the content of a rules file; name is for the errors.
func Parse(name string, content []byte) (*File, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("%s is empty: it must have targets and rules", name)
	}
	p := parser{name: name, root: document.Content[0]}
	file, err := p.decode()
	if err != nil {
		return nil, err
	}
	p.check(file)
	return file, p.err()
}

// A parser parses one file and collects its mistakes.
type parser struct {
	name     string
	root     *yaml.Node
	mistakes []mistake
}

// A mistake is an error at a line of the file.
type mistake struct {
	line int
	err  error
}

// err returns the mistakes in the order of their lines; nil if there are none.
func (p *parser) err() error {
	slices.SortStableFunc(p.mistakes, func(a, b mistake) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, m := range p.mistakes {
		errs = append(errs, m.err)
	}
	return errors.Join(errs...)
}

// decode checks the file against the schema and decodes it.
func (p *parser) decode() (*File, error) {
	var value any
	if err := p.root.Decode(&value); err != nil { // finds members that are given twice
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	content, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: the names of members must be text", p.name, err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](schema().Validate(instance)); ok {
		p.addInvalid(invalid)
		return nil, p.err()
	}
	var file File
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return &file, nil
}

// schema returns the compiled schema of rules files.
var schema = sync.OnceValue(func() *jsonschema.Schema {
	content, err := schemas.Read(SchemaFile)
	if err != nil {
		panic(err) // cannot happen: the file is embedded
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		panic(err) // a test compiles it
	}
	const id = "urn:mkio-bridge:schema:notify-rules:1"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, document); err != nil {
		panic(err)
	}
	return c.MustCompile(id)
})

// addInvalid adds the mistakes that the schema finds: the innermost ones, which say what is wrong.
func (p *parser) addInvalid(invalid *jsonschema.ValidationError) {
	for _, cause := range invalid.Causes {
		p.addInvalid(cause)
	}
	if len(invalid.Causes) > 0 {
		return
	}
	at := invalid.InstanceLocation
	known := membersAt(at)
	if unknown, ok := invalid.ErrorKind.(*kind.AdditionalProperties); ok && len(known) > 0 {
		for _, name := range unknown.Properties {
			p.add(append(slices.Clone(at), name), "unknown member; did you mean %s? (known: %s)", spelling.Nearest(name, known), strings.Join(known, ", "))
		}
		return
	}
	_, text, _ := strings.Cut(invalid.Error(), "': ") // in front is the place
	p.add(at, "%s", text)
}

// membersAt returns the members that the schema knows at a place of the file.
func membersAt(at []string) (known []string) {
	s := schema()
	for _, token := range at {
		if s.Ref != nil {
			s = s.Ref
		}
		switch next, ok := s.Properties[token]; {
		case ok:
			s = next
		case s.Items2020 != nil:
			s = s.Items2020
		default:
			if s, ok = s.AdditionalProperties.(*jsonschema.Schema); !ok {
				return nil
			}
		}
	}
	if s.Ref != nil {
		s = s.Ref
	}
	for name := range s.Properties {
		known = append(known, name)
	}
	slices.Sort(known)
	return known
}

// add adds a mistake at a place of the file.
func (p *parser) add(at []string, format string, args ...any) {
	node := p.root
	var where strings.Builder
	for _, token := range at {
		next := child(node, token)
		if next == nil {
			break
		}
		if node.Kind == yaml.SequenceNode {
			fmt.Fprintf(&where, "[%s]", token)
		} else {
			where.WriteString("." + token)
		}
		node = next
	}
	err := fmt.Errorf("%s:%d: %s: %s", p.name, node.Line, cmp.Or(strings.TrimPrefix(where.String(), "."), "the file"), fmt.Sprintf(format, args...))
	p.mistakes = append(p.mistakes, mistake{node.Line, err})
}

// child returns the value of a member or item of a node; nil if there is none.
func child(n *yaml.Node, token string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == token {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(token); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	}
	return nil
}

// check completes the rules, and adds the mistakes that the schema cannot find.
func (p *parser) check(file *File) {
	names := map[string]bool{}
	for i, r := range file.Rules {
		at := func(members ...string) []string { return append([]string{"rules", strconv.Itoa(i)}, members...) }
		r.setDefaults()
		if names[r.Name] {
			p.add(at("name"), "another rule has the name %s", r.Name)
		}
		names[r.Name] = true
		var known bool
		if r.to, known = file.Targets[r.Target]; !known {
			p.add(at("target"), "there is no target %s; did you mean %s?", r.Target, nearest(r.Target, file.Targets))
		}
		if err := r.Filter.check(); err != nil {
			p.add(at("filter", "name"), "%v", err)
		}
		if r.Retry.Timeout < minTimeout || r.Retry.Timeout > maxTimeout {
			p.add(at("retry", "timeout"), "the timeout must be from %s to %s", minTimeout, maxTimeout)
		}
		if r.Group != nil && r.Group.Every <= 0 {
			p.add(at("group", "every"), "the time must be more than 0s")
		}
		var err error
		if r.title, err = parseTemplate("title", r.Title); err != nil {
			p.add(at("title"), "%v", err)
		}
		if r.text, err = parseTemplate("text", r.Text); err != nil {
			p.add(at("text"), "%v", err)
		}
		for j, m := range r.Mute {
			w, err := m.window()
			if err != nil {
				p.add(at("mute", strconv.Itoa(j)), "%v", err)
			}
			r.mutes = append(r.mutes, w)
		}
	}
}

// nearest returns the name of the target that is most similar to an unknown one.
func nearest(name string, targets map[string]TargetConfig) string {
	var known []string
	for t := range targets {
		known = append(known, t)
	}
	slices.Sort(known)
	return spelling.Nearest(name, known)
}
