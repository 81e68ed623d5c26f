package edge

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// A Certificate is a server's certificate and key, which can be reloaded while in use. Only one goroutine may reload it.
type Certificate struct {
	certFile, keyFile string
	modified          time.Time // modification time of the newer file when the pair was read; used by Reload only
	pair              atomic.Pointer[tls.Certificate]
}

// ClientCAs are the authorities of client certificates. They are reloaded like a [Certificate].
type ClientCAs struct {
	file     string
	modified time.Time
	pool     atomic.Pointer[x509.CertPool]
}

// LoadCertificate reads a certificate and its key from PEM files.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.Reload()
	return c, err
}

// LoadClientCAs reads the certificates of authorities from a PEM file.
func LoadClientCAs(file string) (*ClientCAs, error) {
	c := &ClientCAs{file: file}
	_, err := c.Reload()
	return c, err
}

// Reload reads the pair if a file's modification time has changed, and reports whether it did. After an error the previous
// pair stays in use.
func (c *Certificate) Reload() (changed bool, err error) {
	newest, err := modified(c.certFile, c.keyFile)
	if err != nil || newest.Equal(c.modified) {
		return false, err
	}
	pair, err := readPair(c.certFile, c.keyFile)
	if err != nil {
		return false, err // maybe only one of the files is replaced so far: the next Reload retries
	}
	c.pair.Store(&pair)
	c.modified = newest
	return true, nil
}

// readPair reads a certificate and its key.
func readPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(withoutBOM(cert), withoutBOM(key))
}

// withoutBOM removes a byte order mark, which some tools write at the start of a file: the PEM decoder does not find a block
// after one.
func withoutBOM(content []byte) []byte { return bytes.TrimPrefix(content, []byte("\ufeff")) }

// Reload reads the certificates if the file's modification time has changed, and reports whether it did. After an error the
// previous ones stay in use.
func (c *ClientCAs) Reload() (changed bool, err error) {
	newest, err := modified(c.file)
	if err != nil || newest.Equal(c.modified) {
		return false, err
	}
	content, err := os.ReadFile(c.file)
	if err != nil {
		return false, err
	}
	pool := x509.NewCertPool()
	if err := AddCertificates(pool, content); err != nil {
		return false, fmt.Errorf("%s: %w", c.file, err)
	}
	c.pool.Store(pool)
	c.modified = newest
	return true, nil
}

// AddCertificates adds PEM certificates to a pool. An invalid one is an error: skipping it would refuse its clients without
// a trace.
func AddCertificates(pool *x509.CertPool, content []byte) error {
	found := false
	for block, rest := pem.Decode(withoutBOM(content)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("the file contains a %s: it must contain certificates only", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		pool.AddCert(cert)
		found = true
	}
	if !found {
		return errors.New("the file contains no PEM certificate")
	}
	return nil
}

// modified returns the latest modification time of some files.
func modified(files ...string) (newest time.Time, err error) {
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// TLSConfig returns the TLS configuration of a server with a certificate. If clients is not nil, each client must present a
// certificate that one of these authorities signed.
func TLSConfig(c *Certificate, clients *ClientCAs) *tls.Config {
	config := c.withoutClientAuth()
	if clients != nil {
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.withClientAuth(clients), nil }
	}
	return config
}

func (c *Certificate) withoutClientAuth() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // not h2: see NewServer
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// withClientAuth requires a client certificate signed by one of the current authorities. Session resumption is disabled, so
// that each handshake verifies the certificate against them.
func (c *Certificate) withClientAuth(clients *ClientCAs) *tls.Config {
	config := c.withoutClientAuth()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = clients.pool.Load()
	config.SessionTicketsDisabled = true
	return config
}
