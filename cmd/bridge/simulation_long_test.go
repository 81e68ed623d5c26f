//go:build e2e

package main

import "testing"

// The simulations at their full length. The unit tests run a day or some hours of each.

func TestSoakAWeekWithLostDeliveries(t *testing.T) { loseDeliveries(t, 7) }

func TestLongDaysWithRestarts(t *testing.T) { restartOften(t, 2) }

func TestLongDaysByWebhookAlone(t *testing.T) { deliverByWebhookAlone(t, 3) }

func TestLongDayOfMixedFaults(t *testing.T) { mixFaults(t, 24) }
