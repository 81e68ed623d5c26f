package publish

// maxChanges is how many changes of the cache are listed: more than happen between two calls of a reader that keeps up.
const maxChanges = 1 << 13

// changes lists the resources whose cached head changed last, so that a reader need not search the whole cache. Each change
// makes a new version of the cache.
type changes struct {
	version uint64   // how many changes there were; the first version is 1, so that 0 is older than each
	oldest  uint64   // all changes after this version are listed
	last    []string // ring buffer of resource tokens: that of the change that made version v is at v%maxChanges
}

func newChanges() changes { return changes{version: 1, oldest: 1, last: make([]string, maxChanges)} }

// add lists a change of a resource.
func (c *changes) add(resource string) {
	c.version++
	c.last[c.version%maxChanges] = resource
	if c.version-c.oldest > maxChanges {
		c.oldest = c.version - maxChanges
	}
}

// addAll is called when any resource may have changed.
func (c *changes) addAll() {
	c.version++
	c.oldest = c.version
	clear(c.last)
}

// since calls yield with the resource of each change after a version. It returns false where they are not all listed.
func (c *changes) since(version uint64, yield func(resource string)) bool {
	if version < c.oldest {
		return false
	}
	for v := version + 1; v <= c.version; v++ {
		yield(c.last[v%maxChanges])
	}
	return true
}
