package notify

import (
	"errors"
	"net/http"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// limitedClient limits the time of a request and the size of a response, and follows no redirects: a POST that is redirected
// becomes a GET, whose success a sender would take for its own.
var limitedClient = &http.Client{Transport: limitedTransport{http.DefaultTransport}, Timeout: clientTimeout, CheckRedirect: refuseRedirect}

const clientTimeout = 30 * time.Second

func refuseRedirect(*http.Request, []*http.Request) error {
	return errors.New("the response is a redirect, and redirects are not followed")
}

// LimitDefaultClient limits [http.DefaultClient], with which several senders of shoutrrr call without a limit of their own. It
// belongs to the whole process, so the program calls this, before it starts anything else.
func LimitDefaultClient() { http.DefaultClient = limitedClient }

// limit limits the client of a sender that has one of its own. release ends its connections, which nothing else would.
func limit(sender types.Service) (release func()) {
	switch s := sender.(type) {
	case interface{ SetHTTPClient(client *http.Client) }: // ntfy, PagerDuty
		s.SetHTTPClient(limitedClient)
	case interface{ GetHTTPClient() *http.Client }: // Gotify, Mattermost
		client := s.GetHTTPClient()
		client.Transport, client.CheckRedirect = limitedTransport{client.Transport}, refuseRedirect
		return client.CloseIdleConnections
	}
	return func() {}
}

// A limitedTransport cuts responses off.
type limitedTransport struct{ http.RoundTripper }

func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxResponseBody)
	return response, nil
}

// CloseIdleConnections is called by [http.Client].
func (t limitedTransport) CloseIdleConnections() {
	if transport, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		transport.CloseIdleConnections()
	}
}
