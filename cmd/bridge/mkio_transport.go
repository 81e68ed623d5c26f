package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/mkio"
)

// mkioTransport returns the transport of requests to MK.IO's API.
func (c config) mkioTransport() (http.RoundTripper, error) {
	if c.transport != nil {
		return c.transport, nil
	}
	roots, err := rootsWith(c.MkioCA)
	if err != nil {
		return nil, usageError{fmt.Errorf("BRIDGE_MKIO_CA: %w", err)}
	}
	return trustExplainer{mkio.NewTransport(roots)}, nil
}

// rootsWith returns the system's certificate authorities and those in a file. Without a file it returns nil, the system's.
func rootsWith(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if err := edge.AddCertificates(roots, content); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return roots, nil
}

// trustExplainer adds the setting of a private certificate authority to errors of unknown authorities.
type trustExplainer struct{ http.RoundTripper }

// RoundTrip sends one request.
func (e trustExplainer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := e.RoundTripper.RoundTrip(r)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return nil, fmt.Errorf("%w: if a private authority or a proxy signed the certificate, set BRIDGE_MKIO_CA to a file with that authority's certificate", err)
	}
	return response, err
}
