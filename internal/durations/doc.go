// Package durations tells how long a state usually lasts, and which resources are stuck in one.
//
// The samples are the last completed stays of each resource ([lifecycle.Stays]), which its last event has. So a [Table] is a
// function of the last events alone: every bridge, and every command that reads the state bucket, computes the same, without
// a scan of the log. Samples of a resource that is recorded again replace its former ones.
//
// A table is small: for each kind and transient state one histogram with buckets of equal ratio, in which a sample costs
// nothing. Quantiles are exact to half a bucket, 5 %.
package durations
