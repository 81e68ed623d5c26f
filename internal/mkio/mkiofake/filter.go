package mkiofake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// field returns the value of a version's field, for filters and orders: a text or a time.
func (v *version) field(name string) (text string, instant time.Time, isTime bool) {
	switch name {
	case "name":
		return v.resource.key.Name(), time.Time{}, false
	case "id":
		if v.hasMetadata() {
			return v.resource.life, time.Time{}, false
		}
		return v.armID(), time.Time{}, false
	case "createdBy":
		return bot, time.Time{}, false
	case "transform":
		return v.resource.key.Names()[0], time.Time{}, false
	case "type":
		return operationPrefix + ".StartStop", time.Time{}, false
	case "created", "properties/created":
		return "", v.resource.created, true
	case "updated", "properties/lastModified":
		return "", v.modified, true
	case "startTime":
		return "", v.windowStart(), true
	case "endTime":
		return "", v.windowEnd(), true
	case "spec/state":
		return v.desiredState(), time.Time{}, false
	}
	return v.state, time.Time{}, false // properties/state, properties/resourceState, status/state, privateLinkServiceConnectionStatus
}

// A condition is one comparison of a $filter.
type condition struct {
	field, operator string
	text            string
	instant         time.Time
}

// comparison matches a field, an operator, and a value: a quoted text or a bare word.
var comparison = regexp.MustCompile(`^(\S+) (\S+) ('(?:[^']|'')*'|[^\s']+)(?: and |$)`)

var operators = []string{"eq", "ge", "le", "gt", "lt"}

// parseFilter parses a $filter. It accepts documented syntax only.
func parseFilter(filter string, fields []string) ([]condition, error) {
	var all []condition
	for rest := strings.TrimSpace(filter); rest != ""; {
		match := comparison.FindStringSubmatch(rest)
		if match == nil {
			return nil, fmt.Errorf("filter %q cannot be read", filter)
		}
		rest = rest[len(match[0]):]
		c := condition{field: match[1], operator: match[2]}
		if !slices.Contains(fields, c.field) {
			return nil, fmt.Errorf("filter field '%s' is not valid for this collection", c.field)
		}
		if !slices.Contains(operators, c.operator) {
			return nil, fmt.Errorf("filter operator '%s' is not supported", c.operator)
		}
		value := match[3]
		_, _, isTime := (&version{resource: &resource{key: anyJob, project: &project{}, info: kindInfos[2]}}).field(c.field)
		quoted := strings.HasPrefix(value, "'")
		if isTime == quoted {
			return nil, fmt.Errorf("filter field '%s' does not take %s", c.field, value)
		}
		if quoted {
			c.text = strings.ReplaceAll(value[1:len(value)-1], "''", "'")
		} else {
			instant, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return nil, fmt.Errorf("filter value %s is no date-time", value)
			}
			c.instant = instant
		}
		all = append(all, c)
	}
	return all, nil
}

// anyJob is a key for finding out which fields are times.
var anyJob = func() lifecycle.Key {
	key, err := lifecycle.NewKey(lifecycle.Job, "p", "t", "j")
	if err != nil {
		panic(err)
	}
	return key
}()

// matches reports whether a version meets a condition.
func (c condition) matches(v *version) bool {
	text, instant, isTime := v.field(c.field)
	order := strings.Compare(text, c.text)
	if isTime {
		order = instant.Compare(c.instant)
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

// parseOrder parses an $orderby.
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
			textA, timeA, isTime := a.field(k.field)
			textB, timeB, _ := b.field(k.field)
			order := strings.Compare(textA, textB)
			if isTime {
				order = timeA.Compare(timeB)
			}
			if order != 0 {
				return k.sign * order
			}
		}
		return 0 // the stable sort keeps the order of creation
	}, nil
}
