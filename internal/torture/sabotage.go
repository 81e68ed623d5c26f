package torture

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A sabotage breaks the bridge on purpose: a harness that finds nothing must prove that it can.
type sabotage struct{ file, from, to string }

// sabotages are the ways to break it, by name.
var sabotages = map[string]sabotage{
	"no-expected-sequence": {
		"internal/publish/publish.go",
		"jetstream.WithExpectLastSequenceForSubject(at.expect, p.names.Filter(resource)),", "",
	},
	"answer-before-ack": {
		"internal/publish/publish.go",
		"ack, err := p.js.PublishMsg(ctx, msg,",
		`return place{fact: &m.Fact, expect: at.expect}, p.nc.PublishMsg(msg)
	ack, err := p.js.PublishMsg(ctx, msg,`,
	},
}

// Sabotages names the ways in which a bridge can be broken on purpose.
func Sabotages() []string { return slices.Sorted(maps.Keys(sabotages)) }

// add puts a sabotage into what the bridge is built from.
func (o overlay) sabotage(ctx context.Context, name string) error {
	s, ok := sabotages[name]
	if !ok {
		return fmt.Errorf("there is no sabotage %q: they are %s", name, strings.Join(Sabotages(), ", "))
	}
	root, err := goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", "mkio-bridge")
	if err != nil {
		return err
	}
	return o.edit(filepath.Join(root, s.file), s.from, s.to)
}
