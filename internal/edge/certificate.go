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

// A Certificate is a key pair that can be replaced while it serves. Only one goroutine may reload it.
type Certificate struct {
	certFile, keyFile string
	modified          time.Time // when the newer of the files was modified, as the pair was read; only Reload touches it
	pair              atomic.Pointer[tls.Certificate]
}

// ClientCAs are the authorities that sign the certificates of clients. They are replaced like a [Certificate].
type ClientCAs struct {
	file     string
	modified time.Time
	pool     atomic.Pointer[x509.CertPool]
}

// LoadCertificate reads a key pair.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.Reload()
	return c, err
}

// LoadClientCAs reads the certificates of authorities.
func LoadClientCAs(file string) (*ClientCAs, error) {
	c := &ClientCAs{file: file}
	_, err := c.Reload()
	return c, err
}

// Reload reads the pair when its files' modification time is another, and says whether it did. After an error the former pair
// serves on.
func (c *Certificate) Reload() (changed bool, err error) {
	newest, err := modified(c.certFile, c.keyFile)
	if err != nil || newest.Equal(c.modified) {
		return false, err
	}
	pair, err := readPair(c.certFile, c.keyFile)
	if err != nil {
		return false, err // perhaps one of two files was replaced so far: the next Reload tries again
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

// withoutBOM removes a byte order mark, which some tools write at the start of a text: the PEM decoder does not find a block
// that begins behind one.
func withoutBOM(content []byte) []byte { return bytes.TrimPrefix(content, []byte("\ufeff")) }

// Reload reads the certificates when their file's modification time is another, and says whether it did. After an error the
// former ones stay in force.
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

// AddCertificates reads certificates into a pool. One that is broken is an error: to skip it would be to keep out, without a
// word, those whom it should let in.
func AddCertificates(pool *x509.CertPool, content []byte) error {
	found := false
	for block, rest := pem.Decode(withoutBOM(content)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it holds a %s: certificates alone belong there", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		pool.AddCert(cert)
		found = true
	}
	if !found {
		return errors.New("it holds no certificate in PEM")
	}
	return nil
}

// modified is when the newest of some files was modified.
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

// TLSConfig returns the TLS configuration of a server with a certificate. With clients' authorities each client must show a
// certificate that one of them signed; clients nil: anybody may connect.
func TLSConfig(c *Certificate, clients *ClientCAs) *tls.Config {
	config := c.forAnybody()
	if clients != nil {
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.forClients(clients), nil }
	}
	return config
}

func (c *Certificate) forAnybody() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // and not h2: see NewServer
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// forClients requires a certificate that one of the current authorities signed. No client resumes an earlier session, so
// that each handshake verifies it against them.
func (c *Certificate) forClients(clients *ClientCAs) *tls.Config {
	config := c.forAnybody()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = clients.pool.Load()
	config.SessionTicketsDisabled = true
	return config
}
