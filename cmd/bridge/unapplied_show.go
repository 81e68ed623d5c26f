package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/printable"
)

func showUnappliedCommand(c *call) *cobra.Command {
	var raw bool
	var output format
	cmd := &cobra.Command{
		Use:     "show SEQUENCE",
		Short:   "print one delivery with its body",
		Example: "  mkio-bridge unapplied show 17\n  mkio-bridge unapplied show 17 --raw > body.json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("SEQUENCE missing: mkio-bridge unapplied list prints the sequences")}
			}
			sequence, err := sequenceOf(args[0])
			if err != nil {
				return err
			}
			return runShowUnapplied(cmd.Context(), c, sequence, raw, output)
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "only the body, exactly as stored")
	outputFlag(cmd, &output, "the delivery", "")
	return cmd
}

func runShowUnapplied(ctx context.Context, c *call, sequence uint64, raw bool, output format) error {
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	names := log.Names()
	k, ok, err := log.UnappliedAt(ctx, sequence)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s has no message %d: mkio-bridge unapplied list prints its sequences", names.UnappliedStream(), sequence)
	case raw:
		_, err = c.stdout.Write(k.Body)
		return err
	case output.isObject():
		return output.print(c.stdout, admin.NewUnappliedView(names, k))
	}
	return printUnapplied(c.stdout, names, k)
}

// printUnapplied writes an unapplied delivery as text, with its body.
func printUnapplied(w io.Writer, names event.Names, k eventlog.Unapplied) error {
	length := fmt.Sprintf("%d bytes as received, %d as stored", k.Length, len(k.Body))
	if k.Delivery().Cut() {
		length += "; truncated"
	}
	for _, line := range [][2]string{
		{"sequence", strconv.FormatUint(k.Sequence, 10)},
		{"reason", printable.Name(string(k.Reason))},
		{"detail", printable.Sentence(k.Detail)},
		{"resource", unappliedResource(names, k)},
		{"received", k.Received.UTC().Format(time.RFC3339Nano)},
		{"subject", printable.Name(k.Subject)},
		{"digest", printable.Name(k.Digest)},
		{"length", length},
	} {
		fmt.Fprintf(w, "%-9s  %s\n", line[0], line[1])
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printable.Body(k.Body))
	return err
}
