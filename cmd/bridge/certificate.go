package main

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

	"github.com/prometheus/client_golang/prometheus"
)

// A certificate is a key pair that can be exchanged while it serves. nil: no TLS.
type certificate struct {
	certFile, keyFile string
	modified          time.Time // of the newer file when the pair was read; owned by the one who reloads
	pair              atomic.Pointer[tls.Certificate]
	clients           *clientCA
}

// A clientCA is who signs the certificates of those that may connect. It can be exchanged too. nil: anybody may.
type clientCA struct {
	file     string
	modified time.Time
	pool     atomic.Pointer[x509.CertPool]
}

// loadCertificate reads what the webhook listener needs for TLS; nil when no files are named.
func loadCertificate(conf config) (*certificate, error) {
	if conf.TLSCert == "" {
		return nil, nil
	}
	c := &certificate{certFile: conf.TLSCert, keyFile: conf.TLSKey}
	if _, err := c.reload(); err != nil {
		return nil, fmt.Errorf("%s_TLS_CERT and %s_TLS_KEY: %w", prefix, prefix, err)
	}
	if conf.TLSClientCA == "" {
		return c, nil
	}
	c.clients = &clientCA{file: conf.TLSClientCA}
	if _, err := c.clients.reload(); err != nil {
		return nil, fmt.Errorf("%s_TLS_CLIENT_CA: %w", prefix, err)
	}
	return c, nil
}

// reload reads the pair when one of its files is newer, and says whether it was.
func (c *certificate) reload() (changed bool, err error) {
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

// withoutMark takes off a byte order mark, behind which nobody would see that a block of PEM begins.
func withoutMark(content []byte) []byte { return bytes.TrimPrefix(content, []byte(byteOrderMark)) }

// reload reads the certificates when their file is newer, and says whether it was.
func (c *clientCA) reload() (changed bool, err error) {
	newest, err := modified(c.file)
	if err != nil || newest.Equal(c.modified) {
		return false, err
	}
	content, err := os.ReadFile(c.file)
	if err != nil {
		return false, err
	}
	pool, err := poolOf(content)
	if err != nil {
		return false, fmt.Errorf("%s: %w", c.file, err)
	}
	c.pool.Store(pool)
	c.modified = newest
	return true, nil
}

// poolOf reads certificates.
func poolOf(content []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	return pool, addCertificates(pool, content)
}

// addCertificates reads certificates into a pool. One that is broken is an error: whom it should let in would be kept out in
// silence.
func addCertificates(pool *x509.CertPool, content []byte) error {
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

// config returns the TLS configuration of a server; nil without a certificate.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	config := c.forAnybody()
	if c.clients != nil {
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.forClients(), nil }
	}
	return config
}

func (c *certificate) forAnybody() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"}, // and not h2: see server
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// forClients demands a certificate, as the authorities are now. Nobody resumes a session of before: each handshake
// proves anew who comes.
func (c *certificate) forClients() *tls.Config {
	config := c.forAnybody()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = c.clients.pool.Load()
	config.SessionTicketsDisabled = true
	return config
}

// certificateEnd tells when the certificate ends.
type certificateEnd struct{ certificate *certificate }

var certificateEnds = prometheus.NewDesc("mkio_bridge_tls_certificate_expiry_timestamp_seconds",
	"When the webhook listener's certificate ends, in seconds since 1970; absent without TLS.", nil, nil)

// Describe makes it a collector.
func (e certificateEnd) Describe(ch chan<- *prometheus.Desc) { ch <- certificateEnds }

// Collect looks at the certificate that serves now.
func (e certificateEnd) Collect(ch chan<- prometheus.Metric) {
	if e.certificate != nil {
		ch <- prometheus.MustNewConstMetric(certificateEnds, prometheus.GaugeValue, float64(e.certificate.pair.Load().Leaf.NotAfter.Unix()))
	}
}
