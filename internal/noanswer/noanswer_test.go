package noanswer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/noanswer"
)

// restrictedJetStream connects as a user who may read the info of one stream only.
func restrictedJetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	url := brokertest.StartNATS(t, `authorization {users: [{user: me, password: me, permissions: {publish: {allow: ["$JS.API.INFO", "$JS.API.STREAM.INFO.MINE"]}}}]}`)
	nc, err := nats.Connect(url, nats.UserInfo("me", "me"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// A forbidden request fails at once, and not at its deadline.
func TestForbiddenRequestFailsAtOnce(t *testing.T) {
	js := restrictedJetStream(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reqCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), "OTHER")
	_, err := js.Stream(reqCtx, "OTHER")
	stop()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	why, ok := errors.AsType[*noanswer.Error](noanswer.Explain(ctx, js, err, "OTHER"))
	if !ok || why.Reason != noanswer.NotAllowed || !errors.Is(why, nats.ErrPermissionViolation) || !errors.Is(why, context.Canceled) {
		t.Errorf("%v", why)
	}
}

// A former permissions violation does not explain a later error about another stream, nor an error with a response.
func TestUnrelatedErrorsAreReturnedUnchanged(t *testing.T) {
	js := restrictedJetStream(t)
	reqCtx, stop := noanswer.CancelWhenForbidden(t.Context(), js.Conn(), "OTHER")
	_, _ = js.Stream(reqCtx, "OTHER") // forbidden
	stop()
	_, err := js.Stream(t.Context(), "MINE")
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatal(err)
	}
	for _, err := range []error{err, context.DeadlineExceeded, nil} {
		if why, ok := errors.AsType[*noanswer.Error](noanswer.Explain(t.Context(), js, err, "MINE")); ok {
			t.Errorf("%v is explained as %v", err, why)
		}
	}
}
