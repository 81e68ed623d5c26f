package doctor

import (
	"context"
	"errors"

	"mkio-bridge/internal/noanswer"
)

// A Level is the severity of a finding.
type Level string

// The levels. Failed means that the installation does not work as configured.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Failed  Level = "FAILED"
)

// A Finding is the result of one check.
type Finding struct {
	Check string // name of the check
	Level Level
	Found string
	Codes []Code // one for each fault in Found, in that order; none if nothing is to be done
	Cause error  // the error, if its advice is more specific than that of the codes; else nil
}

func ok(check, found string, codes ...Code) Finding {
	return Finding{check, OK, found, codes, nil}
}

func warning(check, found string, codes ...Code) Finding {
	return Finding{check, Warning, found, codes, nil}
}

func failed(check, found string, codes ...Code) Finding {
	return Finding{check, Failed, found, codes, nil}
}

// withCause adds the cause.
func (f Finding) withCause(cause error) Finding {
	f.Cause = cause
	return f
}

// reason returns the text of an error for a finding: for a timeout without a known reason, "no response in time".
func reason(err error) string {
	if _, known := errors.AsType[*noanswer.Error](err); known {
		return err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no response in time"
	}
	return err.Error()
}
