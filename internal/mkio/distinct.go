package mkio

import "strconv"

// writtenNames are the names of the members that were written, of each object that is not yet closed: where they stand in
// what was written.
type writtenNames []struct{ from, to int }

// distinct keeps the names of an object apart after redaction: of two e-mail addresses both become the same mark, and
// strict readers refuse an object with two members of one name. The second of a name gets a 2 behind it, and so on.
//
// The name was written last, from a position on. The object's earlier names begin at first in r.names. taken says how often
// each name was used; it is nil as long as redaction changed none, since strict JSON has no name twice.
func (r *redactor) distinct(taken map[string]int, first, from int, changed bool) map[string]int {
	to := len(r.out) - 1 // before the closing quote
	if taken == nil && !changed {
		r.names = append(r.names, struct{ from, to int }{from, to})
		return nil
	}
	if taken == nil {
		taken = map[string]int{}
		for _, earlier := range r.names[first:] {
			taken[string(r.out[earlier.from:earlier.to])] = 1
		}
	}
	name := string(r.out[from:to])
	used, free := taken[name], name
	for taken[free] > 0 {
		used++
		free = name + " " + strconv.Itoa(used)
	}
	taken[free] = 1
	taken[name] = max(used, 1)
	r.out = append(append(r.out[:from], free...), '"')
	return taken
}
