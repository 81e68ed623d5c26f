package publish

import "time"

// A pace knows whether batches are faster than single writes. It is measured, for nothing tells how a server syncs: how
// many writes are acknowledged in a while in which many are on their way, against the time of a batch by its messages.
// Where single writes are slow batches are tried, and stay if they are faster.
type pace struct {
	inFlight int
	from     time.Time     // since when many were on their way, all the time; zero: they are not
	acked    int           // since then
	single   time.Duration // for a message; 0: not known
	batch    time.Duration // for a message, smoothed; 0: not tried

	batching bool
	rounds   int       // batches since the trial began
	retry    time.Time // when to try batches again
	until    time.Time // the end of the trial; zero when it is over
}

const (
	crowd     = 8                      // so many on their way are many
	slow      = 100 * time.Microsecond // for a message: a server that syncs each is slower, one that does not is faster as a rule
	window    = 50 * time.Millisecond  // acknowledgements come in bursts
	trial     = 8                      // batches
	trialTime = time.Second            // at most, where there are too few writes for so many batches
	trialRest = 10 * time.Second       // after one that failed
	compared  = 128                    // of so many batches one goes one by one, to see how fast that is now
)

// batches says whether writes go in rounds now.
func (p *pace) batches(now time.Time) bool {
	switch {
	case !p.batching && p.single > slow && p.inFlight >= leastBatch && now.After(p.retry):
		p.batching, p.rounds, p.batch, p.until = true, 0, 0, now.Add(trialTime)
	case p.batching && !p.until.IsZero() && now.After(p.until):
		p.judge(now)
	}
	return p.batching
}

// compares says whether a round that could go as a batch goes one by one all the same.
func (p *pace) compares() bool {
	p.rounds++
	return p.rounds%compared == 0
}

// batched takes the time of a batch.
func (p *pace) batched(messages int, took time.Duration, now time.Time) {
	each := took / time.Duration(messages)
	if p.batch == 0 {
		p.batch = each
	}
	p.batch += (each - p.batch) / trial
	if p.rounds >= trial {
		p.judge(now)
	}
}

// judge ends a trial, or batches that are not faster any more.
func (p *pace) judge(now time.Time) {
	p.until = time.Time{}
	if p.batch == 0 || p.batch > p.single {
		p.rest(now)
	}
}

// rest ends batches for a while.
func (p *pace) rest(now time.Time) {
	p.batching, p.until, p.from, p.retry = false, time.Time{}, time.Time{}, now.Add(trialRest)
}

// began notes a single write that is on its way.
func (p *pace) began() { p.inFlight++ }

// ended notes the end of a single write.
func (p *pace) ended(now time.Time, stored bool) {
	switch {
	case p.inFlight < crowd || !stored:
		p.from = time.Time{}
	case p.from.IsZero():
		p.from, p.acked = now, 0
	default:
		p.acked++
		if took := now.Sub(p.from); took >= window {
			p.single = took / time.Duration(p.acked)
			p.from, p.acked = now, 0
		}
	}
	p.inFlight--
}
