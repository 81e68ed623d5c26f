//go:build e2e

package main

import "testing"

// The simulations at full length. The tests without the e2e tag run a day or some hours of each.

func TestSoakAWeekWithLostDeliveries(t *testing.T) { loseDeliveries(t, 7) }

func TestLongDaysWithRestarts(t *testing.T) { restartOften(t, 2) }

func TestLongDaysByWebhookAlone(t *testing.T) { deliverByWebhookAlone(t, 3) }

func TestLongDayOfMixedFaults(t *testing.T) { mixFaults(t, 24) }
