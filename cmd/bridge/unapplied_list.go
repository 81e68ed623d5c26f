package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// An unappliedView is the JSON form of an unapplied delivery. A body that is a JSON object or array is embedded, other UTF-8
// text is a string, and other bytes are bodyBase64.
type unappliedView struct {
	Sequence   uint64           `json:"sequence"`
	Subject    string           `json:"subject"`
	Reason     lifecycle.Reason `json:"reason"`
	Detail     string           `json:"detail"`
	Received   time.Time        `json:"received"`
	Digest     string           `json:"digest"` // of the body as received
	Length     int              `json:"length"` // of the body as received, in bytes
	Cut        bool             `json:"cut"`
	Body       any              `json:"body,omitempty"`
	BodyBase64 []byte           `json:"bodyBase64,omitempty"`
}

func newUnappliedView(k eventlog.Unapplied) unappliedView {
	s := unappliedView{
		Sequence: k.Sequence, Subject: k.Subject, Reason: k.Reason, Detail: k.Detail, Received: k.Received,
		Digest: k.Digest, Length: k.Length, Cut: k.Delivery().Cut(),
	}
	switch {
	case !utf8.Valid(k.Body):
		s.BodyBase64 = k.Body
	case structured(k.Body):
		s.Body = json.RawMessage(k.Body)
	default:
		s.Body = string(k.Body)
	}
	return s
}

// structured reports whether a body is a JSON object or array.
func structured(body []byte) bool {
	trimmed := bytes.TrimSpace(body)
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed)
}

func runListUnapplied(ctx context.Context, c *call) error {
	var f unappliedFlags
	set := c.flags()
	f.add(set, 0)
	var output string
	outputFlag(set, &output, "one object per line, with the body")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	f.query.NoBody = output == "text"
	if output == "text" {
		c.header("%6s  %-19s  %-12s  %-58s  %s", "NUMBER", "RECEIVED", "REASON", "RESOURCE", "DETAIL")
	}
	more, err := f.each(ctx, log, func(k eventlog.Unapplied) error {
		if output == "json" {
			return printJSON(c.stdout, newUnappliedView(k))
		}
		_, err := fmt.Fprintf(c.stdout, "%6d  %s  %-12s  %-58s  %s\n", k.Sequence, k.Received.UTC().Format(time.DateTime),
			printable.Name(string(k.Reason)), unappliedResource(log.Names(), k), printable.Sentence(k.Detail))
		return err
	})
	if more {
		fmt.Fprintf(c.stderr, "there are more than --limit %d\n", f.limit)
	}
	return err
}
