package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
)

// startServer starts an external server.
func startServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

// constant returns a function that returns s, for a secret that does not change.
func constant(s string) func() string { return func() string { return s } }

func TestAuthenticationMethods(t *testing.T) {
	dir := t.TempDir()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	nkeyFile := filepath.Join(dir, "nkey")
	if err := os.WriteFile(nkeyFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	ca, serverPair := writeCertificates(t, dir)
	credsFile, operatorMode := writeCredentials(t, dir)
	tests := []struct {
		name   string
		server func(*server.Options)
		config broker.Config
	}{
		{"nothing", nil, broker.Config{}},
		{"user and password", func(o *server.Options) { o.Username, o.Password = "me", "hunter2" }, broker.Config{User: "me", Password: constant("hunter2")}},
		{"token", func(o *server.Options) { o.Authorization = "hunter2" }, broker.Config{Token: constant("hunter2")}},
		{"nkey", func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, broker.Config{NKey: nkeyFile}},
		{"credentials", operatorMode, broker.Config{Creds: credsFile}},
		{"client certificate", func(o *server.Options) {
			o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{serverPair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca, MinVersion: tls.VersionTLS12}
		}, broker.Config{TLSCA: filepath.Join(dir, "ca.pem"), TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, tt.server)
			tt.config.URL, tt.config.Log = s.ClientURL(), slog.New(slog.DiscardHandler)
			nc, err := broker.Connect(t.Context(), tt.config)
			if err != nil {
				t.Fatal(err)
			}
			nc.Close()
			if tt.server == nil {
				return
			}
			_, err = broker.Connect(t.Context(), broker.Config{URL: s.ClientURL(), Log: tt.config.Log})
			if refused, ok := errors.AsType[broker.RefusedError](err); !ok || !strings.Contains(refused.Error(), s.Addr().String()) {
				t.Errorf("without it: %v", err)
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.Username, o.Password = "me", "hunter2" })
	missing := filepath.Join(t.TempDir(), "missing")
	log := slog.New(slog.DiscardHandler)
	tests := []struct {
		name    string
		config  broker.Config
		setting broker.Setting // "": not a SettingError
		want    string
	}{
		{"no server", broker.Config{URL: "nats://me:hunter3@127.0.0.1:1, nats://127.0.0.1:2"}, "", "nats://127.0.0.1:1, nats://127.0.0.1:2"},
		{"no scheme", broker.Config{URL: "me:hunter3@127.0.0.1:1"}, "", "127.0.0.1:1"},
		{"no scheme and no user", broker.Config{URL: "127.0.0.1:1"}, "", "nats://127.0.0.1:1"},
		{"no port", broker.Config{URL: "nats://me:hunter3@127.0.0.1:x"}, broker.URL, broker.ErrAddress.Error()},
		{"a slash in a password", broker.Config{URL: "nats://me:12/hunter3@127.0.0.1:1"}, broker.URL, broker.ErrAddress.Error()},
		{"a hash in a password", broker.Config{URL: "nats://me:hunter#3@127.0.0.1:1"}, broker.URL, broker.ErrAddress.Error()},
		{"a comma in a password", broker.Config{URL: "nats://me:hunter,3@127.0.0.1:1"}, broker.URL, broker.ErrAddress.Error()},
		{"a percent sign in a password", broker.Config{URL: "nats://me:hunter%zz@127.0.0.1:1"}, broker.URL, broker.ErrAddress.Error()},
		{"a wrong password", broker.Config{URL: s.ClientURL(), User: "me", Password: constant("hunter3")}, "", "Authorization Violation"},
		{"a credentials file that is not there", broker.Config{URL: s.ClientURL(), Creds: missing}, broker.Creds, missing},
		{"an nkey file that is not there", broker.Config{URL: s.ClientURL(), NKey: missing}, broker.NKey, missing},
		{"certificates that are not there", broker.Config{URL: s.ClientURL(), TLSCA: missing}, broker.TLSCA, missing},
		{"a key pair that is not there", broker.Config{URL: s.ClientURL(), TLSCert: missing, TLSKey: missing}, broker.TLSCert, missing},
	}
	for _, tt := range tests {
		tt.config.Log = log
		nc, err := broker.Connect(t.Context(), tt.config)
		if err == nil {
			nc.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if got := settingOf(err); got != tt.setting {
			t.Errorf("%s: setting %q, want %q", tt.name, got, tt.setting)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: a secret is in the error: %v", tt.name, err)
		}
	}
}

// Connect to a server that sends nothing ends with its context.
func TestConnectEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := silent.Accept(); err == nil {
			defer c.Close()
			cancel()
			<-t.Context().Done()
		}
	}()
	_, err = broker.Connect(ctx, broker.Config{URL: "nats://" + silent.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A password that changes while connected is used at the next connect.
func TestRotatedPasswordIsUsed(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.Username, o.Password = "me", "hunter2" })
	port := s.Addr().(*net.TCPAddr).Port
	var (
		mu       sync.Mutex
		password = "hunter2"
		logged   bridgetest.Buffer
	)
	nc, err := broker.Connect(t.Context(), broker.Config{
		URL: s.ClientURL(), User: "me", Password: func() string { mu.Lock(); defer mu.Unlock(); return password },
		Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	again := nc.StatusChanged(nats.CONNECTED)
	mu.Lock()
	password = "hunter3"
	mu.Unlock()
	s.Shutdown()
	s.WaitForShutdown()
	startServer(t, func(o *server.Options) { o.Port, o.Username, o.Password = port, "me", "hunter3" })
	<-again
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
	nc.Close()
	if logged.Contains("hunter") {
		t.Errorf("a secret is in the log:\n%s", logged.String())
	}
}

// When credentials expire while in use, the connection is lost at once. The client keeps reconnecting however often it is
// refused, and uses new credentials in the same file.
func TestExpiredCredentialsAreReplaced(t *testing.T) {
	t.Parallel() // it waits for the credentials to end
	issue, trusts := credentialIssuer(t)
	file := filepath.Join(t.TempDir(), "creds")
	s := startServer(t, trusts)
	issue(file, time.Now().Add(2*time.Second))
	var logged bridgetest.Buffer
	nc, err := broker.Connect(t.Context(), broker.Config{URL: s.ClientURL(), Creds: file, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	<-nc.StatusChanged(nats.RECONNECTING)
	if err := nc.Publish("x", nil); err == nil {
		t.Error("a publish while disconnected is buffered")
	}
	bridgetest.Eventually(t, "the credentials are refused often", func() bool {
		if nc.IsClosed() {
			t.Fatalf("the client has given up: %v", nc.LastError())
		}
		return strings.Count(logged.String(), "NATS reported an error") >= 4 // by default a client gives up after two equal errors
	})
	again := nc.StatusChanged(nats.CONNECTED)
	issue(file, time.Time{})
	<-again
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
}

// writeCredentials writes a credentials file, and returns the options of a server that trusts it.
func writeCredentials(t *testing.T, dir string) (file string, trusts func(*server.Options)) {
	t.Helper()
	file = filepath.Join(dir, "creds")
	issue, trusts := credentialIssuer(t)
	issue(file, time.Time{})
	return file, trusts
}

// credentialIssuer returns a function that writes credentials files (end is their expiry; zero: none), and the options of a
// server that trusts them.
func credentialIssuer(t *testing.T) (issue func(file string, end time.Time), trusts func(*server.Options)) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	operator, err := nkeys.CreateOperator()
	must(err)
	account, err := nkeys.CreateAccount()
	must(err)
	operatorKey, err := operator.PublicKey()
	must(err)
	accountKey, err := account.PublicKey()
	must(err)

	accountJWT, err := jwt.NewAccountClaims(accountKey).Encode(operator)
	must(err)
	issue = func(file string, end time.Time) {
		t.Helper()
		user, err := nkeys.CreateUser()
		must(err)
		userKey, err := user.PublicKey()
		must(err)
		seed, err := user.Seed()
		must(err)
		claims := jwt.NewUserClaims(userKey)
		if !end.IsZero() {
			claims.Expires = end.Unix()
		}
		userJWT, err := claims.Encode(account)
		must(err)
		content, err := jwt.FormatUserConfig(userJWT, seed)
		must(err)
		must(os.WriteFile(file, content, 0o600))
	}
	return issue, func(o *server.Options) {
		resolver := &server.MemAccResolver{}
		must(resolver.Store(accountKey, accountJWT))
		o.TrustedKeys, o.AccountResolver = []string{operatorKey}, resolver
	}
}

// writeCertificates writes an authority, and a pair signed by it for both servers and clients.
func writeCertificates(t *testing.T, dir string) (*x509.CertPool, tls.Certificate) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parentKey == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		keyDER, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
			if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	root, rootKey := sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil, "ca.pem", "ca.key")
	sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "nats"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, root, rootKey, "cert.pem", "key.pem")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool, pair
}
