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

// A Certificate is a key pair that can be exchanged while it serves. One goroutine reloads it.
type Certificate struct {
	certFile, keyFile string
	modified          time.Time // of the newer file when the pair was read; owned by the one that reloads
	pair              atomic.Pointer[tls.Certificate]
}

// ClientCAs are the authorities that sign the certificates of clients. They can be exchanged too.
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

// Reload reads the pair when one of its files is newer, and says whether it was.
func (c *Certificate) Reload() (changed bool, err error) {
	newest, err := modified(c.certFile, c.keyFile)
	if err != nil || newest.Equal(c.modified) {
		return false, err
	}
	pair, err := readPair(c.certFile, c.keyFile)
	if err != nil {
		return false, err // perhaps half exchanged: the next look will tell
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
	return tls.X509KeyPair(withoutMark(cert), withoutMark(key))
}

// withoutMark takes off a byte order mark, which some tools write before a text: behind one nobody would see that a block
// of PEM begins.
func withoutMark(content []byte) []byte { return bytes.TrimPrefix(content, []byte("\ufeff")) }

// Reload reads the certificates when their file is newer, and says whether it was.
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

// AddCertificates reads certificates into a pool. One that is broken is an error: whom it should let in would be kept out in
// silence.
func AddCertificates(pool *x509.CertPool, content []byte) error {
	found := false
	for block, rest := pem.Decode(withoutMark(content)); block != nil; block, rest = pem.Decode(rest) {
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

// modified is when the newest of some files was changed.
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

// TLSConfig returns the TLS configuration of a server with a certificate. Where there are clients' authorities, each
// client must show a certificate that one of them signed; nil: anybody may connect.
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

// forClients demands a certificate, as the authorities are now. No client resumes an earlier session: each handshake
// proves anew who it is.
func (c *Certificate) forClients(clients *ClientCAs) *tls.Config {
	config := c.forAnybody()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = clients.pool.Load()
	config.SessionTicketsDisabled = true
	return config
}
