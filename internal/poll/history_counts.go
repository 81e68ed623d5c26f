package poll

import (
	"hash/maphash"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio"
)

// historyCounts counts the rows of a delivery history that were created in the last day, by status. A row is read several times
// and may change its status until it is settled: so it is kept until then, and afterwards counted by the minute.
type historyCounts struct {
	seed    maphash.Seed
	since   time.Time                   // all rows that were created since then are counted; zero: no reading was complete yet
	settled time.Time                   // rows that were created before it are counted by the minute
	minutes map[int64]event.LeaderCount // by Unix time in minutes
	open    map[uint64]openRow          // by the hash of the row
}

type openRow struct {
	created time.Time
	status  string
}

func newHistoryCounts() *historyCounts {
	return &historyCounts{seed: maphash.MakeSeed(), minutes: map[int64]event.LeaderCount{}, open: map[uint64]openRow{}}
}

// add counts a row, or replaces the status with which it was counted. Rows without a time cannot be counted.
func (c *historyCounts) add(d mkio.HistoryRow, now time.Time) {
	if d.Created.Before(c.settled) || d.Created.Before(now.Add(-historyWindow)) {
		return
	}
	for _, status := range []string{mkio.StatusSent, mkio.StatusFailed, mkio.StatusRetrying, mkio.StatusPending} {
		if d.Status == status { // the constant, because the row's text would keep the whole page in memory
			c.open[maphash.Comparable(c.seed, historyRow{d.Created, d.Source, d.Type})] = openRow{d.Created, status}
		}
	}
}

// settle is called after a complete reading of the rows that were created since a time. Rows that were created before to do not
// change any more.
func (c *historyCounts) settle(since, to, now time.Time) {
	if c.since.IsZero() {
		c.since = since
	}
	c.settled = latest(c.settled, to)
	for hash, row := range c.open {
		if row.created.Before(c.settled) {
			minute := minuteOf(row.created)
			c.minutes[minute] = count(c.minutes[minute], row.status)
			delete(c.open, hash)
		}
	}
	for minute := range c.minutes {
		if minute < minuteOf(now.Add(-historyWindow)) {
			delete(c.minutes, minute)
		}
	}
	c.since = latest(c.since, now.Add(-historyWindow))
}

// day returns the counts; nil before the first complete reading.
func (c *historyCounts) day() *event.LeaderDay {
	if c.since.IsZero() {
		return nil
	}
	day := event.LeaderDay{Since: c.since.UTC().Truncate(time.Millisecond)}
	for _, n := range c.minutes {
		day.Sent, day.Failed, day.Retrying, day.Pending = day.Sent+n.Sent, day.Failed+n.Failed, day.Retrying+n.Retrying, day.Pending+n.Pending
	}
	for _, row := range c.open {
		day.LeaderCount = count(day.LeaderCount, row.status)
	}
	return &day
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// count returns the counts with one more row of a status.
func count(n event.LeaderCount, status string) event.LeaderCount {
	switch status {
	case mkio.StatusSent:
		n.Sent++
	case mkio.StatusFailed:
		n.Failed++
	case mkio.StatusRetrying:
		n.Retrying++
	case mkio.StatusPending:
		n.Pending++
	}
	return n
}
