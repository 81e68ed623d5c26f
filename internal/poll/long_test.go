//go:build e2e

package poll_test

import (
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestLongTenThousandAtRestAndTwoHundredInMotion(t *testing.T) { checkInMotion(t, 10_000, 200) }

func TestLongAThousandPendingResourcesDelayNoOther(t *testing.T) { checkPending(t, 1000) }

func TestLongABurst(t *testing.T) { checkBurst(t, 5_000) }

func TestLongManyFreshJobs(t *testing.T) { checkFresh(t, 10_000) }

func TestLongManyDeletionsDelayNoneInMotion(t *testing.T) {
	checkDeletions(t, lifecycle.Job, 26_000, 5_000, 200)
}

func TestLongManyParentsDelayNoJob(t *testing.T) { checkParents(t, 600, 1000) }

func TestLongATakeOverCausesNoStorm(t *testing.T) { checkTakeOver(t, 10_000, 2_000, 300) }
