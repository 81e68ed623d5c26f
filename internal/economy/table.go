package economy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Row is a line of the table.
type Row struct {
	Who    string
	Losses string // share of the webhooks that is lost; "": the way uses none
	Result Result
}

// Table returns the rows as a table in Markdown. Requests are compared with those of the first row.
func Table(rows []Row) string {
	var b strings.Builder
	b.WriteString("| who asks | webhooks lost | requests | of the first loop's | most in a minute | changes seen | final states seen | deletions seen | delay p50 | p99 |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		r := row.Result
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.Who, row.Losses,
			Grouped(r.Requests), percent(r.Requests, rows[0].Result.Requests), Grouped(r.MostPerMinute),
			r.Changes, r.Finals, r.Deletions, seconds(r.Delay(0.5)), seconds(r.Delay(0.99)))
	}
	return b.String()
}

func (c Count) String() string { return Grouped(c.Seen) + " of " + Grouped(c.All) }

// Grouped writes a number with a comma between thousands.
func Grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// percent writes a share with two significant digits.
func percent(n, of int) string {
	share := 100 * float64(n) / float64(of)
	if share >= 10 {
		return fmt.Sprintf("%.0f %%", share)
	}
	return fmt.Sprintf("%.2g %%", share)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
