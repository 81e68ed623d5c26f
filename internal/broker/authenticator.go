package broker

import (
	"crypto/subtle"
	"encoding/base64"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// An admission lets connections in where readers need a token. The server's own configuration knows a token or
// users and accounts, not both; and a token that is asked for at each connect can change while the server runs.
type admission struct {
	token   func() string
	users   map[string]*server.NkeyUser // by key: who is of this process
	reader  *server.NkeyUser            // whose rights a connection with the token gets
	account func(name string) (*server.Account, error)
}

// newAdmission takes over the users of a configuration.
func newAdmission(users []*server.NkeyUser, reader pass, token func() string) *admission {
	a := &admission{token: token, users: map[string]*server.NkeyUser{}}
	for _, u := range users {
		if u.Nkey == reader.public {
			a.reader = u
			continue
		}
		a.users[u.Nkey] = u
	}
	return a
}

// Check says whether a connection may come in, and gives it the rights of whom it is.
func (a *admission) Check(c server.ClientAuthentication) bool {
	user := a.who(c)
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

// who returns the user that a connection has shown to be; nil for a stranger.
func (a *admission) who(c server.ClientAuthentication) *server.NkeyUser {
	brought := c.GetOpts()
	if c.Kind() != server.CLIENT {
		return nil
	}
	if user := a.users[brought.Nkey]; user != nil {
		if signed(brought.Nkey, c.GetNonce(), brought.Sig) {
			return user
		}
		return nil
	}
	if token := a.token(); token != "" && subtle.ConstantTimeCompare([]byte(brought.Token), []byte(token)) == 1 {
		return a.reader
	}
	return nil
}

// signed says whether the holder of a key's secret half signed what this connection was given to sign.
func signed(public string, nonce []byte, signature string) bool {
	key, err := nkeys.FromPublicKey(public)
	if err != nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	return err == nil && len(nonce) > 0 && key.Verify(nonce, sig) == nil
}

// DropReaders ends the connections of all readers, after their token was changed: those who have the new one come back.
func (e *Embedded) DropReaders() error {
	found, err := e.readers()
	if err != nil {
		return err
	}
	for _, c := range found {
		_ = e.server.DisconnectClientByID(c.Cid) // else it is gone already
	}
	return nil
}
