package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// allow grants permission, as a receiver with the handshake does.
func allow(origin, rate string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if q.Method != http.MethodOptions {
			return
		}
		w.Header().Set("Allow", "POST")
		if origin != "" {
			w.Header().Set(headerAllowedOrigin, origin)
		}
		if rate != "" {
			w.Header().Set(headerAllowedRate, rate)
		}
	}
}

func TestHandshakeComesFirstAndOnce(t *testing.T) {
	t.Parallel()
	for _, allowed := range []string{"bridge.example.com", "*"} {
		r := newReceiver(t, allow(allowed, "*"))
		target := openWebhook(t, WebhookConfig{URL: r.URL, Origin: "bridge.example.com", Rate: 120, TokenFile: secretFile(t, "token-token")})
		var sends sync.WaitGroup
		for range 10 {
			sends.Go(func() {
				if err := target.Send(t.Context(), testMessage(t)); err != nil {
					t.Error(err)
				}
			})
		}
		sends.Wait()
		asked := r.next(t)
		if asked.method != http.MethodOptions || asked.header.Get(headerRequestOrigin) != "bridge.example.com" || asked.header.Get(headerRequestRate) != "120" || asked.header.Get("Authorization") == "" {
			t.Errorf("the first request was %s with %v", asked.method, asked.header)
		}
		for range 10 {
			if q := r.next(t); q.method != http.MethodPost || q.header.Get(headerRequestOrigin) != "bridge.example.com" {
				t.Errorf("then %s with %v", q.method, q.header)
			}
		}
	}
}

func TestWithoutConsentNothingIsSent(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]http.HandlerFunc{
		"no headers":     status(200),
		"405":            status(405),
		"another origin": allow("other.example.com", "*"),
		"a prefix":       allow("bridge.example.com.evil.example", "*"),
		"a redirect":     redirect(302),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, respond)
			target := openWebhook(t, WebhookConfig{URL: r.URL, Origin: "bridge.example.com"})
			for range 2 { // the receiver is asked again with the next try
				err := target.Send(t.Context(), testMessage(t))
				if _, permanent := errors.AsType[*Permanent](err); err == nil || permanent || !strings.Contains(err.Error(), "bridge.example.com") {
					t.Errorf("Send returned %v, want an error that is retried and names the origin", err)
				}
				if q := r.next(t); q.method != http.MethodOptions {
					t.Errorf("%s was sent without consent", q.method)
				}
			}
		})
	}
}

func TestGrantedRate(t *testing.T) {
	t.Parallel()
	for header, perMinute := range map[string]float64{"60": 60, "120": 120, "1": 1, "*": 0, "": 0, "-5": 0, "many": 0} {
		limit := limitOf(header)
		switch {
		case perMinute == 0 && limit != nil:
			t.Errorf("%q is a limit", header)
		case perMinute > 0 && (limit == nil || float64(limit.Limit())*60 != perMinute):
			t.Errorf("%q: limit %v, want %v per minute", header, limit, perMinute)
		}
	}
}

// A message that the rate does not allow is not sent, and told from one that was refused.
func TestGrantedRateIsKept(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, allow("*", "2"))
	target := openWebhook(t, WebhookConfig{URL: r.URL, Origin: "bridge.example.com"})
	if err := target.Send(t.Context(), testMessage(t)); err != nil {
		t.Fatal(err)
	}
	limited, ok := errors.AsType[*Limited](target.Send(t.Context(), testMessage(t)))
	if !ok || limited.After <= 0 || limited.After > 30*time.Second {
		t.Errorf("%v, want one after at most 30 seconds", limited)
	}
	if n := len(r.requests); n != 2 {
		t.Errorf("%d requests were made, want the handshake and one message", n)
	}
}

// Waiting for the target's rate is no try: a backlog makes no dead letters.
func TestRateMakesNoDeadLetters(t *testing.T) {
	virtual(t, func(f *fixture) {
		f.rules("  - {name: a, target: main, retry: {tries: 2}}\n")
		limit := rate.NewLimiter(rate.Every(10*time.Second), 1)
		f.target("main").answers(func(context.Context, string) error { return takeTurn(limit) })
		f.run()
		var want []string
		for i := range 30 {
			f.add("news", fmt.Sprint("ep-", i), "Queued")
			want = append(want, fmt.Sprintf("ep-%d Queued", i))
		}
		time.Sleep(310 * time.Second)
		f.want("main", want...)
		if letters := f.letters(); len(letters) > 0 {
			t.Errorf("dead letters: %q", letters)
		}
	})
}
