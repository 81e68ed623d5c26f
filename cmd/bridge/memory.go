package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the share of the container's memory limit that Go may use; the rest is for memory that Go does not count.
const memoryShare = 0.9

const unlimitedMemory = "none"

// limitMemory sets Go's memory limit from the container's, so that garbage is collected before the process is killed for
// lack of memory. GOMEMLIMIT takes precedence. It returns the limit in effect, e.g. 180MiB.
func limitMemory(allowed memlimit.Provider) (string, error) {
	limit, err := memlimit.Set(memlimit.WithProvider(allowed), memlimit.WithRatio(memoryShare))
	if errors.Is(err, memlimit.ErrNoCgroup) || errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		return unlimitedMemory, nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: set GOMEMLIMIT, e.g. GOMEMLIMIT=230MiB", err)
	}
	if limit == math.MaxInt64 {
		return unlimitedMemory, nil
	}
	return fmt.Sprintf("%dMiB", limit>>20), nil
}
