package main

import (
	"cmp"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/progress"
)

// newProgress builds the store of the progress of jobs; nil if BRIDGE_PROGRESS is false. b.poller is built after it.
func (b *bridge) newProgress() *progress.Store {
	if !b.config.Progress {
		return nil
	}
	return progress.New(progress.Config{
		JS: b.js, Streams: b.streams(), BaseURL: b.config.MkioURL,
		Ended: func(resource string, key lifecycle.Key) bool {
			return b.poller != nil && b.poller.EndedHere(resource, key)
		},
		Advise: progressAdvice, Log: b.log,
	})
}

// progressOf returns how far a job is; false if that is not known.
func (b *bridge) progressOf(resource string) (event.Progress, bool) {
	if b.progress == nil {
		return event.Progress{}, false
	}
	return b.progress.Get(resource)
}

// progressAdvice is what to do where the bucket of the progress of jobs cannot be used.
func progressAdvice(err error) string {
	return cmp.Or(advice(err), "let the bridge's user create and use the bucket, as "+rightsFile+" says, or create it from deploy/streams") +
		"; or set BRIDGE_PROGRESS=false"
}
