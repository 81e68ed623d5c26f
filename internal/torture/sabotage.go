package torture

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A sabotage is a bug that is put into the bridge on purpose, to prove that the harness detects it. old must occur exactly
// once in file; appended is added at the file's end.
type sabotage struct{ file, old, replacement, appended string }

// sabotages are the known bugs, by name.
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

// Sabotages returns the names of the bugs that can be put into the bridge.
func Sabotages() []string { return slices.Sorted(maps.Keys(sabotages)) }

// sabotage adds a bug to the overlay.
func (o overlay) sabotage(ctx context.Context, name string) error {
	s, ok := sabotages[name]
	if !ok {
		return fmt.Errorf("unknown sabotage %q: use one of %s", name, strings.Join(Sabotages(), ", "))
	}
	root, err := goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", "mkio-bridge")
	if err != nil {
		return err
	}
	path := filepath.Join(root, s.file)
	if err := o.edit(path, s.old, s.replacement); err != nil {
		return err
	}
	o[path] += s.appended
	return nil
}
