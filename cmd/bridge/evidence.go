package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/printable"
)

// standardOutput is the name of a file that stands for standard output.
const standardOutput = "-"

// errGaps is for a period that is not proven as a whole, errBroken for a log that is not whole.
var (
	errGaps   = errors.New("the period has gaps that are not proven complete")
	errBroken = errors.New("the log has broken chains")
)

// writeEvidence verifies the log, and writes what is proven about a period into a file.
func (c *call) writeEvidence(ctx context.Context, q audit.Query, name string, erased audit.Sequences) error {
	started := evidenceTime()
	report, log, done, err := c.verifyLog(ctx, verifyOptions{erased: erased})
	if err != nil {
		return err
	}
	defer done()
	verification := audit.NewVerification(report)
	verification.Erased = erased.String()
	verification.Started, verification.Ended, verification.Instance = started, evidenceTime(), instanceName()
	e, err := audit.Collect(ctx, log, audit.Request{
		Query: q, Made: audit.Made{At: evidenceTime(), Instance: instanceName(), Version: version()}, Verification: verification,
	})
	if err != nil {
		return err
	}
	file, err := e.Encode()
	if err != nil {
		return err
	}
	if name == standardOutput {
		_, err = c.stdout.Write(file)
	} else if err = os.WriteFile(name, file, 0o600); err == nil {
		_, err = fmt.Fprintf(c.stdout, "%s written, SHA-256 of its content %s\n%s %s\n", printable.Name(name), e.Digest, audit.RootLabel, verification.Root)
	}
	return errors.Join(err, verdictOf(e))
}

// verdictOf returns an error for evidence of a log that is not whole, or of a period that is not proven.
func verdictOf(e *audit.Evidence) error {
	var all []error
	if e.Verification.Wrong > 0 {
		all = append(all, errBroken)
	}
	switch {
	case e.Err() != nil:
		all = append(all, noProofError(e.Err()))
	case !e.Complete:
		all = append(all, errGaps)
	}
	return errors.Join(all...)
}

// evidenceTime returns the time in the precision of evidence.
func evidenceTime() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// maxEvidence limits the size of an evidence file that is read: a file has some hundred bytes for each project, kind and gap.
const maxEvidence = 256 << 20

// readEvidence reads an evidence file. changed says in which way it is not as it was made; "" if it is.
func readEvidence(name string) (e *audit.Evidence, changed string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("evidence cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxEvidence))
	if err == nil {
		e, changed, err = audit.ParseEvidence(content)
	}
	if err != nil {
		return nil, "", fmt.Errorf("evidence %s cannot be checked: %w", name, err)
	}
	return e, changed, nil
}

// An evidenceCheck is what verify --evidence found.
type evidenceCheck struct {
	Digest       string             `json:"digest"` // of the file's content
	Differences  []audit.Difference `json:"differences"`
	Verification *audit.Report      `json:"verification"`
}

// checkEvidence compares an evidence file with the log as it is now. o.root is the file's.
func (c *call) checkEvidence(ctx context.Context, o verifyOptions) error {
	e, changed, err := readEvidence(o.evidence)
	if err != nil {
		return err
	}
	o.root = e.Root()
	if v := e.Verification; v != nil && v.Erased != "" {
		more, err := audit.ParseSequences(v.Erased)
		if err != nil {
			return fmt.Errorf("evidence %s cannot be checked: erased: %w", o.evidence, err)
		}
		o.erased = append(o.erased, more...)
	}
	report, log, done, err := c.verifyLog(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	check := evidenceCheck{Digest: e.Digest, Differences: []audit.Difference{}, Verification: report}
	if changed != "" {
		check.Differences = append(check.Differences, audit.Difference{Found: changed})
	}
	differences, err := e.Recheck(ctx, log, report, time.Now())
	if err != nil {
		return err
	}
	check.Differences = append(check.Differences, differences...)
	if o.output.isObject() {
		err = o.output.print(c.stdout, check)
	} else {
		err = c.evidenceText(e, check, o.root)
	}
	switch {
	case err != nil:
		return err
	case report.Wrong > 0:
		return errBroken
	case len(check.Differences) > 0:
		return errors.New("the evidence and the log differ")
	}
	return nil
}

func (c *call) evidenceText(e *audit.Evidence, check evidenceCheck, root *audit.Root) error {
	wrong, unsure := c.colour().ofLevel(doctor.Failed, "WRONG"), c.colour().ofLevel(doctor.Warning, "NOT CONFIRMED, the records have aged out:")
	for _, d := range check.Differences {
		verdict := wrong
		if d.Unconfirmed {
			verdict = unsure
		}
		fmt.Fprintln(c.stdout, verdict, printable.Sentence(d.Found))
	}
	if len(check.Differences) == 0 {
		fmt.Fprintf(c.stdout, "the log and the records are as the file of %s says: digest %s\n", e.Made.At.Format(time.RFC3339), e.Digest)
	}
	if e.Verification == nil {
		fmt.Fprintln(c.stdout, "the file has no root, so an alteration before it was made cannot be excluded:", printable.Sentence(e.Unverified))
	}
	return c.verifyText(check.Verification, root)
}
