package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is how much of what the container may have Go's memory may take; the rest is for what Go does not count.
const memoryShare = 0.9

const unlimitedMemory = "none"

// limitMemory has garbage collected earlier when memory comes near what the container may have, which would end the
// process. GOMEMLIMIT, where it is set, stays as it is. It says what is in force.
func limitMemory(allowed memlimit.Provider) (string, error) {
	limit, err := memlimit.Set(memlimit.WithProvider(allowed), memlimit.WithRatio(memoryShare))
	if errors.Is(err, memlimit.ErrNoCgroup) || errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		return unlimitedMemory, nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: set GOMEMLIMIT by hand, e.g. GOMEMLIMIT=230MiB", err)
	}
	if limit == math.MaxInt64 {
		return unlimitedMemory, nil
	}
	return fmt.Sprintf("%dMiB", limit>>20), nil
}
