package eventlog

// Subjects returns the subject filters with which a consumer of the log gets the events of a kind, project, name and state;
// none if it gets all. They do not overlap.
func (l *Log) Subjects(q Query) []string { return l.filters(q, true) }
