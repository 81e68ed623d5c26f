package notify

import (
	"iter"
	"time"

	"mkio-bridge/internal/eventlog"
)

// A Preview is a message that a rule would send.
type Preview struct {
	Time  time.Time `json:"time"`
	Rule  string    `json:"rule"`
	ID    string    `json:"id"` // of the event; of a group the newest
	Count int       `json:"count"`
	Muted bool      `json:"muted"` // it would not be sent
	Title string    `json:"title"`
	Text  string    `json:"text"`
}

// Preview calls show for each message that the rule would have sent for some events, had the target taken each at once.
func (r *Rule) Preview(events iter.Seq2[eventlog.LoggedEvent, error], show func(Preview) error) error {
	lanes := map[string]*previewLane{}
	for e, err := range events {
		if err != nil {
			return err
		}
		if !r.Filter.Match(e.Event) {
			continue
		}
		name := r.laneOf(e.Subject, e.Event)
		lane := lanes[name]
		if lane == nil {
			lane = &previewLane{rule: r, show: show}
			lanes[name] = lane
		}
		if err := lane.add(e); err != nil {
			return err
		}
	}
	for _, lane := range lanes {
		if err := lane.flush(); err != nil {
			return err
		}
	}
	return nil
}

// A previewLane is a group, or the events of a resource.
type previewLane struct {
	rule    *Rule
	show    func(Preview) error
	until   time.Time // no further message before
	waiting eventlog.LoggedEvent
	count   int
}

// add adds an event, after the message that was due before it.
func (l *previewLane) add(e eventlog.LoggedEvent) error {
	if l.count > 0 && !e.Stored.Before(l.until) {
		if err := l.flush(); err != nil {
			return err
		}
	}
	l.waiting, l.count = e, l.count+1
	if e.Stored.Before(l.until) {
		return nil
	}
	l.until = e.Stored
	return l.flush()
}

// flush shows the message for the events that wait.
func (l *previewLane) flush() error {
	if l.count == 0 {
		return nil
	}
	m, err := l.rule.Render(l.waiting.Event, l.waiting.Payload, l.count)
	if err != nil {
		return err
	}
	p := Preview{
		Time: l.until.UTC(), Rule: m.Rule, ID: m.Event.ID(), Count: m.Count, Muted: l.rule.Muted(l.until), Title: m.Title, Text: m.Text,
	}
	l.count = 0
	if l.rule.Group != nil {
		l.until = l.until.Add(time.Duration(l.rule.Group.Every))
	}
	return l.show(p)
}
