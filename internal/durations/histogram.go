package durations

import (
	"math"
	"time"
)

// Buckets of a histogram: the first ends at smallest, each other one is growth times as wide as the one before. The last has
// all that is longer than two years.
const (
	buckets  = 216
	smallest = 100 * time.Millisecond
	growth   = 1.1
)

// A Histogram counts samples by their duration. Samples can be removed again, so it never forgets or drifts.
type Histogram struct {
	counts [buckets]int32
	total  int
}

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d <= smallest {
		return 0
	}
	return min(buckets-1, int(math.Ceil(math.Log(float64(d)/float64(smallest))/math.Log(growth))))
}

// middle returns the duration in the (geometric) middle of a bucket.
func middle(bucket int) time.Duration {
	if bucket == 0 {
		return smallest
	}
	return time.Duration(float64(smallest) * math.Pow(growth, float64(bucket)-0.5))
}

// Add adds n samples; n is negative to remove them.
func (h *Histogram) Add(d time.Duration, n int) {
	h.counts[bucketOf(d)] += int32(n) //nolint:gosec // 1 or -1
	h.total += n
}

// AddAll adds the samples of another histogram.
func (h *Histogram) AddAll(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Total returns how many samples there are.
func (h *Histogram) Total() int { return h.total }

// Over returns how many samples are longer than a duration, exact to a bucket.
func (h *Histogram) Over(limit time.Duration) (n int) {
	for _, count := range h.counts[bucketOf(limit)+1:] {
		n += int(count)
	}
	return n
}

// Quantile returns the duration that a share q of the samples does not exceed; 0 without samples.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int(math.Ceil(q * float64(h.total)))
	for i, n := range h.counts {
		if rank -= int(n); rank <= 0 && n > 0 {
			return middle(i)
		}
	}
	return 0
}
