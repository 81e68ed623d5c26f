package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// watchEvery is how long a changed file can stay unread. Mounted secrets change by a symbolic link, so
// files are looked at rather than watched.
const watchEvery = 2 * time.Second

// watchFiles reads secrets and certificate again when their files change, until the context ends. A file
// that cannot be read leaves the former content in force.
func (b *bridge) watchFiles(ctx context.Context, cert *certificate) {
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
			if changed && name == readerTokenName {
				b.dropReaders()
			}
		}
		changed, err := cert.reload()
		report(prefix+"_TLS_CERT", changed, err)
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

// A certificate is a key pair that can be exchanged while it serves. nil: no TLS.
type certificate struct {
	certFile, keyFile string
	modified          time.Time // of the newer file when the pair was read; owned by the one who reloads
	pair              atomic.Pointer[tls.Certificate]
}

// loadCertificate reads a key pair; nil when no files are named.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if _, err := c.reload(); err != nil {
		return nil, fmt.Errorf("%s_TLS_CERT and %s_TLS_KEY: %w", prefix, prefix, err)
	}
	return c, nil
}

// reload reads the pair when one of its files is newer, and says whether it was.
func (c *certificate) reload() (changed bool, err error) {
	if c == nil {
		return false, nil
	}
	var newest time.Time
	for _, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return false, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if newest.Equal(c.modified) {
		return false, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return false, err // perhaps half exchanged: the next look will tell
	}
	c.pair.Store(&pair)
	c.modified = newest
	return true, nil
}

// config returns the TLS configuration of a server; nil without a certificate.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // and not h2: see server
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}
