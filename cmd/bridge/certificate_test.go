package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

func TestTLSCertificateReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	b, addr, _ := serveForTest(t, func(c *config) { c.TLSCert, c.TLSKey = cert, key })
	serial := func() int64 { return certificateAt(t, addr).SerialNumber.Int64() }
	if got := serial(); got != 1 {
		t.Errorf("serial number %d", got)
	}
	ends := fmt.Sprintf("mkio_bridge_tls_certificate_expiry_timestamp_seconds %g\n", float64(certificateAt(t, addr).NotAfter.Unix()))
	if response := serveRequest(b.adminRoutes(true), http.MethodGet, "/metrics", nil); !strings.Contains(response.Body.String(), ends) {
		t.Errorf("the metrics lack the expiry of the certificate: %s", ends)
	}
	writeCertificate(t, cert, key, 2)
	bridgetest.Eventually(t, "the new certificate is used", func() bool { return serial() == 2 })
	if _, _, err := loadTLS(config{TLSCert: cert, TLSKey: filepath.Join(dir, "gone")}); err == nil || !strings.Contains(err.Error(), "BRIDGE_TLS_CERT") {
		t.Errorf("a missing key: %v", err)
	}
}

// certificateAt returns the certificate that a listener presents.
func certificateAt(t *testing.T, addr string) *x509.Certificate {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// With BRIDGE_TLS_CLIENT_CA, a delivery needs a certificate signed by it, and the secret.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeCertificate(t, file("tls.crt"), file("tls.key"), 1)
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	ours.write(t, file("ca.crt"))
	_, addr, _ := serveForTest(t, func(c *config) {
		c.TLSCert, c.TLSKey, c.TLSClientCA = file("tls.crt"), file("tls.key"), file("ca.crt")
	})
	withoutCert, stranger, known := newSender(t, addr, nil), newSender(t, addr, others), newSender(t, addr, ours)
	check := func(who string, s *sender, secret string, want int) {
		t.Helper()
		if status := s.deliver(secret); status != want {
			t.Errorf("%s: status %d, want %d", who, status, want)
		}
	}
	check("no certificate", withoutCert, demoSecret, 0)
	check("a certificate that others signed", stranger, demoSecret, 0)
	check("a certificate and no secret", known, "", http.StatusUnauthorized)
	check("a certificate and the secret", known, demoSecret, http.StatusNoContent)

	others.write(t, file("ca.crt"))
	bridgetest.Eventually(t, "another authority is in force", func() bool { return stranger.deliver(demoSecret) == http.StatusNoContent })
	check("a certificate of the previous authority, with a session to resume", known, demoSecret, 0)
}

func TestInvalidClientCAIsRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
	writeCertificate(t, cert, key, 1)
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{nil, []byte("no PEM"), private, append(bytes.Clone(public), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...)} {
		if err := os.WriteFile(ca, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := loadTLS(config{TLSCert: cert, TLSKey: key, TLSClientCA: ca}); err == nil || !strings.Contains(err.Error(), "BRIDGE_TLS_CLIENT_CA") {
			t.Errorf("%q is accepted as certificates: %v", content, err)
		}
	}
}

// A sender makes deliveries over TLS, each on a new connection that resumes the previous session.
type sender struct {
	t      *testing.T
	client *http.Client
	url    string
}

// newSender returns a sender with a certificate signed by an authority; nil: without a certificate.
func newSender(t *testing.T, addr string, a *authority) *sender {
	t.Helper()
	conf := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if a != nil {
		own := a.sign(t)
		// Send it whichever authorities the server names.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return &sender{t, &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}, "https://" + addr + webhookPath}
}

// deliver returns the status of the response; 0 if the TLS handshake failed.
func (s *sender) deliver(secret string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url, bytes.NewReader(bridgetest.Delivery(s.t, "streaming-locator-created.json")))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("X-Webhook-Secret", secret)
	response, err := s.client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// An authority signs certificates of clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	return &authority{sign(t, template, template, &key.PublicKey, key), key}
}

// write writes its certificate to a file.
func (a *authority) write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sign returns a new client certificate.
func (a *authority) sign(t *testing.T) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	cert := sign(t, template, a.cert, &key.PublicKey, a.key)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, public *ecdsa.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// writeCertificate writes a new self-signed certificate and its key.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "bridge"}, NotAfter: time.Now().Add(time.Hour)}
	cert := sign(t, template, template, &key.PublicKey, key)
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert.Raw}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
