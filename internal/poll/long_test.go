//go:build e2e

package poll_test

import "testing"

func TestLongTenThousandAtRestAndTwoHundredInMotion(t *testing.T) { checkInMotion(t, 10_000, 200) }

func TestLongAThousandPendingResourcesDelayNoOther(t *testing.T) { checkPending(t, 1000) }
