package main

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/edge"
)

// loadTLS reads the webhook listener's certificate and client CAs; each is nil when its file is not configured.
func loadTLS(conf config) (certificate *edge.Certificate, clients *edge.ClientCAs, err error) {
	if conf.TLSCert == "" {
		return nil, nil, nil
	}
	if certificate, err = edge.LoadCertificate(conf.TLSCert, conf.TLSKey); err != nil {
		return nil, nil, fmt.Errorf("BRIDGE_TLS_CERT and BRIDGE_TLS_KEY: %w", err)
	}
	if conf.TLSClientCA == "" {
		return certificate, nil, nil
	}
	if clients, err = edge.LoadClientCAs(conf.TLSClientCA); err != nil {
		return nil, nil, fmt.Errorf("BRIDGE_TLS_CLIENT_CA: %w", err)
	}
	return certificate, clients, nil
}

// watchInterval is how often files are checked for changes. They are polled, because mounted secrets change by a symbolic
// link, which file notifications miss.
const watchInterval = 2 * time.Second

// watchFiles reloads secrets and certificates when their files change, until the context ends. While a file cannot be read,
// its last content stays in use.
func (b *bridge) watchFiles(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
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
				b.log.Error("file of a setting cannot be read; its last content stays in use", "setting", name, "error", err)
			case changed:
				b.log.Info("file of a setting reloaded", "setting", name)
			}
			failing[name] = err != nil
		}
		for name, s := range b.config.secrets() {
			changed, err := s.reload()
			report(name+fileSuffix, changed, err)
			if changed {
				s.trimmed(name).warn(b.log)
			}
			if changed && name == readerTokenName {
				b.disconnectReaders()
			}
		}
		if b.certificate != nil {
			changed, err := b.certificate.Reload()
			report("BRIDGE_TLS_CERT", changed, err)
		}
		if b.clientCAs != nil {
			changed, err := b.clientCAs.Reload()
			report("BRIDGE_TLS_CLIENT_CA", changed, err)
		}
	}
}

// readerTokenName is the variable of the embedded server's reader token.
const readerTokenName = prefix + "_NATS_READER_TOKEN" // computed: gosec takes the literal for a secret

// disconnectReaders closes the embedded server's reader connections, so that readers reconnect with the current token.
func (b *bridge) disconnectReaders() {
	if b.embedded == nil {
		return
	}
	if err := b.embedded.DisconnectReaders(); err != nil {
		b.log.Error("readers with the previous token cannot be disconnected", "error", err)
	}
}
