package broker_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
)

// serverWithToken starts a server whose readers need a token.
func serverWithToken(t *testing.T, token *atomic.Value) *broker.Embedded {
	t.Helper()
	c := config(t.TempDir())
	c.ReaderToken = func() string { return token.Load().(string) }
	return start(t, c)
}

func tokenOf(s string) *atomic.Value {
	var v atomic.Value
	v.Store(s)
	return &v
}

func TestReadersNeedTheToken(t *testing.T) {
	e := serverWithToken(t, tokenOf("right"))
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]nats.Option{
		"nothing":            nats.Name("nobody"),
		"another token":      nats.Token("wrong"),
		"an empty token":     nats.Token(""),
		"a part of it":       nats.Token("righ"),
		"a user":             nats.UserInfo("right", "right"),
		"a key of their own": nats.Nkey(public, key.Sign),
	} {
		if nc, err := nats.Connect("nats://"+e.Addr(), option); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with %s: %v", name, err)
			if err == nil {
				nc.Close()
			}
		}
	}
}

// An empty token does not match connections without a token.
func TestEmptyTokenRefusesEverybody(t *testing.T) {
	e := serverWithToken(t, tokenOf(""))
	if nc, err := nats.Connect("nats://" + e.Addr()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connect: %v", err)
		if err == nil {
			nc.Close()
		}
	}
}

// The public key of the bridge's user is not sufficient to authenticate.
func TestOwnerMustSignTheNonce(t *testing.T) {
	e := serverWithToken(t, tokenOf("right"))
	own, err := e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	public := own.Opts.Nkey
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect("nats://"+e.Addr(), nats.Nkey(public, other.Sign)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a connection without a valid signature is accepted: %v", err)
		if err == nil {
			nc.Close()
		}
	}
}

func TestReaderWithTheTokenCannotWrite(t *testing.T) {
	e := serverWithToken(t, tokenOf("right"))
	own := owner(t, e)
	log, err := own.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	violations := make(chan error, 1)
	nc, err := nats.Connect("nats://right@"+e.Addr(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	live := subscribe(t, nc, "mkio.>")[0]
	if _, err := own.Publish(t.Context(), "mkio.a.b", []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if m, err := live.NextMsgWithContext(t.Context()); err != nil || string(m.Data) != "hi" {
		t.Errorf("live: %v", err)
	}
	read, err := stream(t, nc).Stream(t.Context(), "MKIO_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := read.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "hi" {
		t.Errorf("read: %v", err)
	}
	if err := nc.Publish("mkio.a.evil", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-violations; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the reader gets the error %v", err)
	}
	if info, err := log.Info(t.Context()); err != nil || info.State.Msgs != 1 {
		t.Errorf("the log: %+v, %v", info, err)
	}
}

func TestReaderWithThePreviousTokenIsDisconnected(t *testing.T) {
	token := tokenOf("old")
	e := serverWithToken(t, token)
	own := owner(t, e)
	if _, err := own.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}}); err != nil {
		t.Fatal(err)
	}
	connect := func(option nats.Option) (nc *nats.Conn, closed chan error) {
		closed = make(chan error, 1)
		nc, err := nats.Connect("nats://"+e.Addr(), option, nats.ReconnectWait(1), nats.MaxReconnects(-1),
			nats.ClosedHandler(func(nc *nats.Conn) { closed <- nc.LastError() }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc, closed
	}
	_, closed := connect(nats.Token("old"))
	renewed, _ := connect(nats.TokenHandler(func() string { return token.Load().(string) }))
	back := renewed.StatusChanged(nats.RECONNECTING)

	token.Store("new")
	if err := e.DisconnectReaders(); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err == nil || !strings.Contains(strings.ToLower(err.Error()), "authorization violation") {
		t.Errorf("the connection with the previous token ends with %v", err)
	}
	<-back
	bridgetest.Eventually(t, "the reader with the new token is connected", renewed.IsConnected)
	live := subscribe(t, renewed, "mkio.>")[0]
	if _, err := own.Publish(t.Context(), "mkio.a.b", nil); err != nil { // through the relay, which was not disconnected
		t.Fatal(err)
	}
	if _, err := live.NextMsgWithContext(t.Context()); err != nil {
		t.Errorf("the reader with the new token: %v", err)
	}
}
