package edge

// openFileLimit returns no limit: Windows limits the handles of a process by memory only.
func openFileLimit() (files uint64, limited bool) { return 0, false }
