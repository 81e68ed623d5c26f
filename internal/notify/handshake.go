package notify

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/time/rate"
)

// Headers of the CloudEvents webhook handshake, "abuse protection".
const (
	headerRequestOrigin = "Webhook-Request-Origin"
	headerRequestRate   = "Webhook-Request-Rate"
	headerAllowedOrigin = "Webhook-Allowed-Origin"
	headerAllowedRate   = "Webhook-Allowed-Rate"
)

// A permission is what a receiver allows by the handshake. It is asked for before the first message to an address, and held
// until the program ends or the address changes.
type permission struct {
	origin string
	rate   int // requests per minute to ask for; 0: any

	turn    chan struct{} // holds a token; who has it may use the fields below
	granted string        // the address that granted the permission
	limit   *rate.Limiter // nil: no limit
}

func newPermission(origin string, perMinute int) permission {
	p := permission{origin: origin, rate: perMinute, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// ask asks for permission unless it is granted, and returns a [*Limited] if the granted rate allows no request now.
func (p *permission) ask(ctx context.Context, client *http.Client, s webhookSecrets) error {
	if p.origin == "" {
		return nil
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the handshake with the receiver: %w", ctx.Err())
	case <-p.turn:
	}
	err := p.shake(ctx, client, s)
	limit := p.limit
	p.turn <- struct{}{}
	if err != nil || limit == nil {
		return err
	}
	return takeTurn(limit)
}

// takeTurn returns an error if the limit allows no request now. Whoever sends waits outside of the time for a try.
func takeTurn(limit *rate.Limiter) error {
	turn := limit.Reserve()
	wait := turn.Delay()
	if wait == 0 {
		return nil
	}
	turn.Cancel()
	return &Limited{fmt.Errorf("the receiver allows %.0f requests per minute", float64(limit.Limit())*60), wait}
}

// shake makes the handshake with an address that has not granted permission.
func (p *permission) shake(ctx context.Context, client *http.Client, s webhookSecrets) error {
	address := s.url.String()
	if p.granted == address {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodOptions, address, nil)
	if err != nil {
		return fmt.Errorf("handshake: %s", s.text(err.Error()))
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set(headerRequestOrigin, p.origin)
	if p.rate > 0 {
		request.Header.Set(headerRequestRate, strconv.Itoa(p.rate))
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("handshake: %w", transportError(s.redactor, err))
	}
	defer response.Body.Close()
	// The headers are the consent, whatever the status is: receivers that do not know the handshake answer OPTIONS too.
	allowed := strings.TrimSpace(response.Header.Get(headerAllowedOrigin))
	if allowed != "*" && !strings.EqualFold(allowed, p.origin) {
		return fmt.Errorf("the receiver does not allow events from origin %s: it responded %s to the handshake, without the header %s for it", p.origin, statusText(response.StatusCode), headerAllowedOrigin)
	}
	p.granted, p.limit = address, limitOf(response.Header.Get(headerAllowedRate))
	return nil
}

// limitOf returns the limit of an allowed rate; nil for none, for *, and for what is not a rate.
func limitOf(allowed string) *rate.Limiter {
	perMinute, err := strconv.Atoi(strings.TrimSpace(allowed))
	if err != nil || perMinute <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(1, perMinute/60))
}
