package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

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

// listUnappliedOptions are the flags of unapplied list.
type listUnappliedOptions struct {
	unappliedFlags
	table
	output format
}

func listUnappliedCommand(c *call) *cobra.Command {
	var o listUnappliedOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list stored deliveries, oldest first",
		Example: `  mkio-bridge unapplied list --reason conflict --since 1d
  mkio-bridge unapplied list --kind job --output name | xargs mkio-bridge unapplied retry`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runListUnapplied(cmd.Context(), c, o) },
	}
	o.add(cmd, 0)
	o.addHeadersFlag(cmd)
	outputFlag(cmd, &o.output, "a delivery, with its body", "SEQUENCE")
	return cmd
}

func runListUnapplied(ctx context.Context, c *call, o listUnappliedOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	o.query.NoBody = !o.output.isObject()
	if o.output == formatText {
		o.header(c.stdout, "%8s  %-19s  %-12s  %-58s  %s", "SEQUENCE", "RECEIVED", "REASON", "RESOURCE", "DETAIL")
	}
	more, err := o.each(ctx, log, func(k eventlog.Unapplied) (err error) {
		switch o.output {
		case formatJSON, formatYAML:
			err = o.output.print(c.stdout, newUnappliedView(k))
		case formatName:
			_, err = fmt.Fprintln(c.stdout, k.Sequence)
		case formatText:
			_, err = fmt.Fprintf(c.stdout, "%8d  %s  %-12s  %-58s  %s\n", k.Sequence, k.Received.UTC().Format(time.DateTime),
				printable.Name(string(k.Reason)), unappliedResource(log.Names(), k), printable.Sentence(k.Detail))
		}
		return err
	})
	if more {
		fmt.Fprintf(c.stderr, "there are more than --limit %d\n", o.limit)
	}
	return err
}
