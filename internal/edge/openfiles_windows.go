package edge

// openFileLimit: Windows limits the handles of a process by memory alone.
func openFileLimit() (files uint64, limited bool) { return 0, false }
