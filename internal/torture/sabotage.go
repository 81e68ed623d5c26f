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
type sabotage struct{ file, from, to, added string }

// sabotages are the ways to break it, by name.
var sabotages = map[string]sabotage{
	"no-expected-sequence": {
		"internal/publish/publish.go",
		"jetstream.WithExpectLastSequenceForSubject(at.expect, p.names.Filter(resource)),", "", "",
	},
	"answer-before-ack": {
		"internal/publish/publish.go",
		"ack, err := p.js.PublishMsg(publishing, msg,",
		"ack, err := answerEarly(publishing, p.js, msg,",
		`
func answerEarly(_ context.Context, js jetstream.JetStream, msg *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	_, err := js.PublishMsgAsync(msg, options...)
	return &jetstream.PubAck{}, err
}
`,
	},
}

// Sabotages names the ways in which a bridge can be broken on purpose.
func Sabotages() []string { return slices.Sorted(maps.Keys(sabotages)) }

// sabotage puts one into what the bridge is built from.
func (o overlay) sabotage(ctx context.Context, name string) error {
	s, ok := sabotages[name]
	if !ok {
		return fmt.Errorf("there is no sabotage %q: they are %s", name, strings.Join(Sabotages(), ", "))
	}
	root, err := goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", "mkio-bridge")
	if err != nil {
		return err
	}
	path := filepath.Join(root, s.file)
	if err := o.edit(path, s.from, s.to); err != nil {
		return err
	}
	o[path] += s.added
	return nil
}
