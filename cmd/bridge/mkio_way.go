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

// wayToMKIO returns the transport of requests to MK.IO's API.
func (c config) wayToMKIO() (http.RoundTripper, error) {
	if c.transport != nil {
		return c.transport, nil
	}
	roots, err := rootsWith(c.MkioCA)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s_MKIO_CA: %w", prefix, err)}
	}
	return explainTrust{mkio.NewTransport(roots)}, nil
}

// rootsWith returns the system's certificate authorities and those in a file; nil, which means the system's, without one.
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

// explainTrust says which setting names a private certificate authority, where a certificate is of none that is known.
type explainTrust struct{ http.RoundTripper }

// RoundTrip makes one request.
func (e explainTrust) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := e.RoundTripper.RoundTrip(r)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return nil, fmt.Errorf("%w: where a private authority signed it, or a proxy on the way, name a file with that authority's certificate in %s_MKIO_CA", err, prefix)
	}
	return response, err
}
