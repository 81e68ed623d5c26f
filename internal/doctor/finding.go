package doctor

import (
	"context"
	"errors"

	"mkio-bridge/internal/noanswer"
)

// A Level says how bad a finding is.
type Level string

// The levels. With a Failed finding the installation does not work as it is meant to.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Failed  Level = "FAILED"
)

// A Finding is what one check found.
type Finding struct {
	Check string // what was checked
	Level Level
	Found string
	Codes []Code // one for each mistake that Found names, in its order; none where nothing is to be done
	Cause error  // the error, where it says more of what to do than the codes; else nil
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

// reason says an error in words for a finding: for a timeout without a known reason, that no answer came in time.
func reason(err error) string {
	if _, known := errors.AsType[*noanswer.Error](err); known {
		return err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
