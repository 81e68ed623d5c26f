// Package notify sends events of the log to targets, by rules in a file.
package notify
