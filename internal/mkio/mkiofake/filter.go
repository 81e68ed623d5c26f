package mkiofake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// field is what a filter or an order sees of a version: a text or a moment.
func (v *version) field(name string) (text string, moment time.Time, isMoment bool) {
	switch name {
	case "name":
		return v.of.key.Name(), time.Time{}, false
	case "id":
		if v.hasMetadata() {
			return v.of.life, time.Time{}, false
		}
		return v.armID(), time.Time{}, false
	case "createdBy":
		return bot, time.Time{}, false
	case "transform":
		return v.of.key.Names()[0], time.Time{}, false
	case "type":
		return operationPrefix + ".StartStop", time.Time{}, false
	case "created", "properties/created":
		return "", v.of.created, true
	case "updated", "properties/lastModified":
		return "", v.modified, true
	case "startTime":
		return "", v.starts(), true
	case "endTime":
		return "", v.ends(), true
	case "spec/state":
		return v.wanted(), time.Time{}, false
	}
	return v.state, time.Time{}, false // properties/state, properties/resourceState, status/state
}

// A condition is one comparison of a filter.
type condition struct {
	field, operator string
	text            string
	moment          time.Time
}

// comparison is a field, an operator, and a value: a quoted text or a bare word.
var comparison = regexp.MustCompile(`^(\S+) (\S+) ('(?:[^']|'')*'|[^\s']+)(?: and |$)`)

var operators = []string{"eq", "ge", "le", "gt", "lt"}

// parseFilter reads a $filter. Only what is documented is understood.
func parseFilter(filter string, fields []string) ([]condition, error) {
	var all []condition
	for rest := strings.TrimSpace(filter); rest != ""; {
		found := comparison.FindStringSubmatch(rest)
		if found == nil {
			return nil, fmt.Errorf("filter %q cannot be read", filter)
		}
		rest = rest[len(found[0]):]
		c := condition{field: found[1], operator: found[2]}
		if !slices.Contains(fields, c.field) {
			return nil, fmt.Errorf("filter field '%s' is not valid for this collection", c.field)
		}
		if !slices.Contains(operators, c.operator) {
			return nil, fmt.Errorf("filter operator '%s' is not supported", c.operator)
		}
		value := found[3]
		_, _, isMoment := (&version{of: &resource{key: anyJob, in: &project{}, place: places[2]}}).field(c.field)
		quoted := strings.HasPrefix(value, "'")
		if isMoment == quoted {
			return nil, fmt.Errorf("filter field '%s' does not take %s", c.field, value)
		}
		if quoted {
			c.text = strings.ReplaceAll(value[1:len(value)-1], "''", "'")
		} else {
			moment, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return nil, fmt.Errorf("filter value %s is no date-time", value)
			}
			c.moment = moment
		}
		all = append(all, c)
	}
	return all, nil
}

// anyJob stands for whatever is listed, to tell which fields are moments.
var anyJob = func() lifecycle.Key {
	key, err := lifecycle.NewKey(lifecycle.Job, "p", "t", "j")
	if err != nil {
		panic(err)
	}
	return key
}()

// holds says whether a version meets a condition.
func (c condition) holds(v *version) bool {
	text, moment, isMoment := v.field(c.field)
	order := strings.Compare(text, c.text)
	if isMoment {
		order = moment.Compare(c.moment)
	}
	switch c.operator {
	case "eq":
		return order == 0
	case "ge":
		return order >= 0
	case "le":
		return order <= 0
	case "gt":
		return order > 0
	}
	return order < 0
}

// parseOrder reads an $orderby.
func parseOrder(orderby string, fields []string) (func(a, b *version) int, error) {
	type key struct {
		field string
		sign  int
	}
	var keys []key
	for part := range strings.SplitSeq(orderby, ",") {
		words := strings.Fields(part)
		if len(words) == 0 && orderby == "" {
			break
		}
		if len(words) == 0 || len(words) > 2 || !slices.Contains(fields, words[0]) {
			return nil, fmt.Errorf("sort field '%s' is not valid for this collection", strings.TrimSpace(part))
		}
		k := key{words[0], 1}
		if len(words) == 2 {
			switch words[1] {
			case "asc":
			case "desc":
				k.sign = -1
			default:
				return nil, fmt.Errorf("sort direction '%s' is not valid", words[1])
			}
		}
		keys = append(keys, k)
	}
	return func(a, b *version) int {
		for _, k := range keys {
			textA, momentA, isMoment := a.field(k.field)
			textB, momentB, _ := b.field(k.field)
			order := strings.Compare(textA, textB)
			if isMoment {
				order = momentA.Compare(momentB)
			}
			if order != 0 {
				return k.sign * order
			}
		}
		return 0 // the sort is stable: in the order of their creation
	}, nil
}
