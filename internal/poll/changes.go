package poll

// A changeReader returns to one reader which resources of the project changed in the log's cache since it was last asked, so
// that an event costs the same however many resources there are. It has no lock: its owner has one.
type changeReader struct {
	*scope
	version uint64           // of the cache when it was last asked; 0: not yet
	failed  map[string]error // why resources could not be read, by token
}

func newChangeReader(s *scope) changeReader {
	return changeReader{scope: s, failed: map[string]error{}}
}

// next returns the tokens of the resources that changed and of those that could not be read, some of them more than once.
// complete is false if any other resource may have changed too.
func (c *changeReader) next() (resources []string, complete bool) {
	resources, c.version, complete = c.inventory.Changed(c.name, c.version)
	for resource := range c.failed {
		resources = append(resources, resource)
	}
	clear(c.failed)
	return resources, complete
}

// retry notes that a resource could not be read, so that next returns it again.
func (c *changeReader) retry(resource string, err error) { c.failed[resource] = err }

// err returns why a resource could not be read; nil if all could.
func (c *changeReader) err() error {
	for _, err := range c.failed {
		return err
	}
	return nil
}

// reset has next return that any resource may have changed.
func (c *changeReader) reset() {
	c.version = 0
	clear(c.failed)
}
