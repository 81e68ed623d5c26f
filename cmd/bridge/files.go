package main

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/edge"
)

// loadTLS reads what the webhook listener needs for TLS; nil where no files are named.
func loadTLS(conf config) (certificate *edge.Certificate, clients *edge.ClientCAs, err error) {
	if conf.TLSCert == "" {
		return nil, nil, nil
	}
	if certificate, err = edge.LoadCertificate(conf.TLSCert, conf.TLSKey); err != nil {
		return nil, nil, fmt.Errorf("%s_TLS_CERT and %s_TLS_KEY: %w", prefix, prefix, err)
	}
	if conf.TLSClientCA == "" {
		return certificate, nil, nil
	}
	if clients, err = edge.LoadClientCAs(conf.TLSClientCA); err != nil {
		return nil, nil, fmt.Errorf("%s_TLS_CLIENT_CA: %w", prefix, err)
	}
	return certificate, clients, nil
}

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
		if b.certificate != nil {
			changed, err := b.certificate.Reload()
			report(prefix+"_TLS_CERT", changed, err)
		}
		if b.clientCAs != nil {
			changed, err := b.clientCAs.Reload()
			report(prefix+"_TLS_CLIENT_CA", changed, err)
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
