//go:build e2e

package poll_test

import (
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestLongTenThousandAtRestAndTwoHundredInMotion(t *testing.T) { checkInMotion(t, 10_000, 200) }

func TestLongAThousandPendingResourcesDelayNoOther(t *testing.T) { checkPending(t, 1000) }

func TestSoakABurst(t *testing.T) { checkBurst(t, 5_000) }

func TestSoakManyFreshJobs(t *testing.T) { checkFresh(t, 10_000) }

func TestSoakManyDeletionsDelayNoneInMotion(t *testing.T) {
	checkDeletions(t, lifecycle.Job, 26_000, 5_000, 200)
}

func TestSoakManyParentsDelayNoJob(t *testing.T) { checkParents(t, 600, 1000) }

func TestSoakATakeOverCausesNoStorm(t *testing.T) { checkTakeOver(t, 10_000, 2_000, 300) }
