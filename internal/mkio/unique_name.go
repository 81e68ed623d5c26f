package mkio

import "strconv"

// writtenNames are the positions, in redactor.out, of the member names of all objects that are not yet closed.
type writtenNames []struct{ from, to int }

// uniqueName keeps the member names of an object unique after redaction: two e-mail addresses as names become the same mark,
// and strict parsers reject an object with duplicate names. The second gets the suffix " 2", and so on.
//
// The name was written last, from a position in r.out on. The object's other names begin at firstName in r.names. used counts
// how often each name was used; it is nil until redaction changes a name, because strict JSON has no duplicate names.
func (r *redactor) uniqueName(used map[string]int, firstName, from int, changed bool) map[string]int {
	to := len(r.out) - 1 // before the closing quote
	if used == nil && !changed {
		r.names = append(r.names, struct{ from, to int }{from, to})
		return nil
	}
	if used == nil {
		used = map[string]int{}
		for _, previous := range r.names[firstName:] {
			used[string(r.out[previous.from:previous.to])] = 1
		}
	}
	name := string(r.out[from:to])
	count, free := used[name], name
	for used[free] > 0 {
		count++
		free = name + " " + strconv.Itoa(count)
	}
	used[free] = 1
	used[name] = max(count, 1)
	r.out = append(append(r.out[:from], free...), '"')
	return used
}
