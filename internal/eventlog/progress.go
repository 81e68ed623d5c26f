package eventlog

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// progressTimeout limits [Log.Progress]: the progress of jobs is not worth a longer wait.
const progressTimeout = 5 * time.Second

// Progress returns how far each running job is, by its token, from the bucket beside the log; none where that does not exist. It
// is for a connection that nothing else uses at the same time.
func (l *Log) Progress(ctx context.Context) (map[string]event.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	ctx, stop := noanswer.CancelWhenForbidden(ctx, l.js.Conn(), l.names.ProgressStream())
	defer stop()
	found := map[string]event.Progress{}
	lastOfEach := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	for m, err := range l.messages(ctx, l.names.ProgressStream(), lastOfEach, false) {
		if _, missing := errors.AsType[*MissingStreamError](err); missing {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		if p, stored, err := event.ParseProgress(m.Headers(), m.Data()); err == nil && stored {
			found[strings.TrimPrefix(m.Subject(), l.names.ProgressSubject(""))] = p
		}
	}
	return found, nil
}
