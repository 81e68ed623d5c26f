package broker

import (
	"crypto/subtle"
	"encoding/base64"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// An authenticator authenticates connections when readers need a token. The server's own configuration supports either a
// token, or users and accounts; and this one reads the token at each connect, so that it can change while the server runs.
type authenticator struct {
	token   func() string
	users   map[string]*server.NkeyUser // the users of this process, by public key
	reader  *server.NkeyUser            // the user of connections with the token
	account func(name string) (*server.Account, error)
}

// newAuthenticator returns an authenticator of a configuration's users.
func newAuthenticator(users []*server.NkeyUser, reader nkeyUser, token func() string) *authenticator {
	a := &authenticator{token: token, users: map[string]*server.NkeyUser{}}
	for _, u := range users {
		if u.Nkey == reader.public {
			a.reader = u
			continue
		}
		a.users[u.Nkey] = u
	}
	return a
}

// Check implements [server.Authentication]: it reports whether a connection is accepted, and registers its user.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	user := a.userOf(c)
	if user == nil {
		return false
	}
	account, err := a.account(user.Account.Name)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: user.Nkey, Permissions: user.Permissions, Account: account})
	return true
}

// userOf returns the authenticated user of a connection; nil if there is none.
func (a *authenticator) userOf(c server.ClientAuthentication) *server.NkeyUser {
	options := c.GetOpts()
	if c.Kind() != server.CLIENT {
		return nil
	}
	if user := a.users[options.Nkey]; user != nil {
		if signed(options.Nkey, c.GetNonce(), options.Sig) {
			return user
		}
		return nil
	}
	if token := a.token(); token != "" && subtle.ConstantTimeCompare([]byte(options.Token), []byte(token)) == 1 {
		return a.reader
	}
	return nil
}

// signed reports whether a signature of the connection's nonce was made with the private key of a public key.
func signed(public string, nonce []byte, signature string) bool {
	key, err := nkeys.FromPublicKey(public)
	if err != nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	return err == nil && len(nonce) > 0 && key.Verify(nonce, sig) == nil
}

// DisconnectReaders closes all reader connections after a change of the token: readers with the new token reconnect.
func (e *Embedded) DisconnectReaders() error {
	found, err := e.readers()
	if err != nil {
		return err
	}
	for _, c := range found {
		_ = e.server.DisconnectClientByID(c.Cid) // an error means that it is closed already
	}
	return nil
}
