package main

import (
	"context"
	"time"
)

// watchEvery is how long a changed file can stay unread. Mounted secrets change by a symbolic link, so
// files are looked at rather than watched.
const watchEvery = 2 * time.Second

// watchFiles reads secrets and certificates again when their files change, until the context ends. A file
// that cannot be read leaves the former content in force.
func (b *bridge) watchFiles(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	failing := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		report := func(name string, changed bool, err error) {
			switch {
			case err != nil && !failing[name]:
				b.log.Error("a file cannot be read; what it held before stays in force", "setting", name, "error", err)
			case changed:
				b.log.Info("a file has changed and was read", "setting", name)
			}
			failing[name] = err != nil
		}
		for name, s := range b.config.secrets() {
			changed, err := s.reload()
			report(name+fileSuffix, changed, err)
			if changed {
				s.wrapped(name).warn(b.log)
			}
			if changed && name == readerTokenName {
				b.dropReaders()
			}
		}
		if cert := b.tls; cert != nil {
			changed, err := cert.reload()
			report(prefix+"_TLS_CERT", changed, err)
			if cert.clients != nil {
				changed, err := cert.clients.reload()
				report(prefix+"_TLS_CLIENT_CA", changed, err)
			}
		}
	}
}

// readerTokenName is the variable of the readers' token.
const readerTokenName = prefix + "_NATS_READER_TOKEN"

// dropReaders has readers of the embedded server show the token that is in force now.
func (b *bridge) dropReaders() {
	if b.embedded == nil {
		return
	}
	if err := b.embedded.DropReaders(); err != nil {
		b.log.Error("readers with the former token could not be disconnected", "error", err)
	}
}
