package notify

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// A webhookClient is the HTTP client of a webhook. It is made again when the file with the certificates has changed.
type webhookClient struct {
	caFile string // "": the system's certificates only

	mu      sync.Mutex
	content []byte // of caFile, for which the client was made
	client  *http.Client
}

// get returns the client for the current certificates.
func (c *webhookClient) get() (*http.Client, error) {
	var content []byte
	if c.caFile != "" {
		var err error
		if content, err = os.ReadFile(c.caFile); err != nil {
			return nil, fmt.Errorf("caFile: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil && bytes.Equal(content, c.content) {
		return c.client, nil
	}
	roots, err := c.roots(content)
	if err != nil {
		return nil, err
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
	c.client, c.content = newWebhookClient(roots), content
	return c.client, nil
}

// roots returns the trusted certificates; nil for the system's.
func (c *webhookClient) roots(content []byte) (*x509.CertPool, error) {
	if c.caFile == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // none on this system: caFile suffices
	}
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("caFile: %s contains no certificate in PEM format", c.caFile)
	}
	return roots, nil
}

const (
	pingAfter = 10 * time.Second // without a frame from the receiver
	pingTime  = 5 * time.Second  // for the response to a ping, and for writing each part of a request
	// maxRequestTime is for a request whose context has no earlier deadline.
	maxRequestTime = 5 * time.Minute
)

// newWebhookClient returns a client that follows no redirects.
func newWebhookClient(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Over HTTP/2 all requests share a connection. Pings detect one that the network has silently dropped.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: pingTime}
	transport.MaxResponseHeaderBytes = maxResponseHeader
	transport.MaxIdleConnsPerHost = maxSenders
	if roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: transport,
		Timeout:   maxRequestTime,
		// A redirect would send the event, and the token, to another server than the rule names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
