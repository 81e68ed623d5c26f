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

// user connects as the user of a server who may ask about one stream alone.
func user(t *testing.T) jetstream.JetStream {
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

// A request that the servers do not allow ends at once, and not with its deadline.
func TestARequestThatIsNotAllowedEndsAtOnce(t *testing.T) {
	js := user(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asking, stop := noanswer.UntilForbidden(ctx, js.Conn(), "OTHER")
	_, err := js.Stream(asking, "OTHER")
	stop()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	why, ok := errors.AsType[*noanswer.Error](noanswer.Why(ctx, js, err, "OTHER"))
	if !ok || why.Reason != noanswer.NotAllowed || !errors.Is(why, nats.ErrPermissionViolation) || !errors.Is(why, context.Canceled) {
		t.Errorf("%v", why)
	}
}

// What was not allowed once is no reason for what comes later and is about something else, nor is it one for an answer.
func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	js := user(t)
	asking, stop := noanswer.UntilForbidden(t.Context(), js.Conn(), "OTHER")
	_, _ = js.Stream(asking, "OTHER") // is not allowed
	stop()
	_, err := js.Stream(t.Context(), "MINE")
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatal(err)
	}
	for _, err := range []error{err, context.DeadlineExceeded, nil} {
		if why, ok := errors.AsType[*noanswer.Error](noanswer.Why(t.Context(), js, err, "MINE")); ok {
			t.Errorf("%v is taken for %v", err, why)
		}
	}
}
