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
		"internal/event/header.go",
		"	m.set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)\n	m.set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10))\n", "", "",
	},
	"answer-before-ack": {
		"internal/publish/batch.go",
		"ack, err := c.js.PublishMsg(ctx, msg)",
		"ack, err := answerEarly(ctx, c.js, msg)",
		`
func answerEarly(_ context.Context, js jetstream.JetStream, msg *nats.Msg) (*jetstream.PubAck, error) {
	_, err := js.PublishMsgAsync(msg)
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
