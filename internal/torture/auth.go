package torture

import (
	"fmt"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// natsAuth is the authentication of the NATS servers: one account, whose users are the bridges. Credentials may expire.
type natsAuth struct {
	operator, system, account          nkeys.KeyPair
	operatorJWT, systemJWT, accountJWT string
	systemKey, accountKey              string
}

func newNATSAuth() (*natsAuth, error) {
	a := &natsAuth{}
	var err error
	if a.operator, err = nkeys.CreateOperator(); err != nil {
		return nil, err
	}
	if a.systemKey, a.system, err = newAccount(); err != nil {
		return nil, err
	}
	if a.accountKey, a.account, err = newAccount(); err != nil {
		return nil, err
	}
	operatorKey, err := a.operator.PublicKey()
	if err != nil {
		return nil, err
	}
	operator := jwt.NewOperatorClaims(operatorKey)
	operator.SystemAccount = a.systemKey
	if a.operatorJWT, err = operator.Encode(a.operator); err != nil {
		return nil, err
	}
	if a.systemJWT, err = jwt.NewAccountClaims(a.systemKey).Encode(a.operator); err != nil {
		return nil, err
	}
	account := jwt.NewAccountClaims(a.accountKey)
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	a.accountJWT, err = account.Encode(a.operator)
	return a, err
}

func newAccount() (public string, key nkeys.KeyPair, err error) {
	if key, err = nkeys.CreateAccount(); err != nil {
		return "", nil, err
	}
	public, err = key.PublicKey()
	return public, key, err
}

// writeCredentials writes a credentials file that expires at a time; zero: never.
func (a *natsAuth) writeCredentials(file string, until time.Time) error {
	user, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	key, err := user.PublicKey()
	if err != nil {
		return err
	}
	claims := jwt.NewUserClaims(key)
	if !until.IsZero() {
		claims.Expires = until.Unix()
	}
	token, err := claims.Encode(a.account)
	if err != nil {
		return err
	}
	seed, err := user.Seed()
	if err != nil {
		return err
	}
	content, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

// serverConfig returns the part of a server's configuration that authenticates.
func (a *natsAuth) serverConfig() string {
	return fmt.Sprintf("operator: %q\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n  %s: %q\n  %s: %q\n}\n",
		a.operatorJWT, a.systemKey, a.systemKey, a.systemJWT, a.accountKey, a.accountJWT)
}
