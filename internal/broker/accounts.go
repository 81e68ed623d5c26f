package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
)

// An nkeyUser is a user of the embedded server with a key that only this process has.
type nkeyUser struct {
	key    nkeys.KeyPair
	public string
}

func newNkeyUser() (nkeyUser, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nkeyUser{}, err
	}
	public, err := key.PublicKey()
	return nkeyUser{key, public}, err
}

const (
	ownerAccount   = "BRIDGE"
	readersAccount = "READERS"
)

// accounts returns the server's configuration of accounts and permissions. Streams belong to account BRIDGE; account READERS
// imports the services that read them, and none that write. The user relay republishes the bridge's messages to READERS
// (relay.go), and forwards readers' requests below proxyPrefix (request_proxy.go). The user reader, whom everybody else
// becomes, may not publish on the given subjects and below proxyPrefix, so that readers cannot forge messages for each
// other. CONSUMER.LIST and CONSUMER.NAMES are not among the services: with the name of another's consumer, a reader could
// change or delete it.
func accounts(owner, relay, reader nkeyUser, subjects []string) string {
	services := []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.DELETE.>",
		"$JS.API.CONSUMER.INFO.>",
		"$JS.ACK.>", "$JS.FC.>",
	}
	var exports, imports, denied strings.Builder
	for _, s := range services {
		fmt.Fprintf(&exports, "      {service: %q, response: stream}\n", s)
		fmt.Fprintf(&imports, "      {service: {account: BRIDGE, subject: %q}}\n", s)
	}
	for _, s := range slices.Concat(getRequests, createRequests, nextRequests, []string{infoRequest + ">"}) {
		fmt.Fprintf(&imports, "      {service: {account: BRIDGE, subject: %q}, to: %q}\n", s, proxyPrefix+s)
	}
	for _, s := range slices.Concat(getRequests, createRequests, nextRequests) {
		fmt.Fprintf(&exports, "      {service: %q, response: stream}\n", s)
	}
	for _, s := range slices.Concat(subjects, []string{proxyPrefix + ">"}) {
		fmt.Fprintf(&denied, "        %q\n", s)
	}
	// The exported stream _INBOX.> lets push consumers deliver to a reader's inbox.
	return fmt.Sprintf(`
accounts {
  BRIDGE: {
    jetstream: enabled
    users: [{nkey: %q}]
    exports: [
      {stream: "_INBOX.>"}
%s    ]
  }
  %s: {
    users: [
      {nkey: %q, permissions: {publish: {deny: [
%s      ]}}}
      {nkey: %q}
    ]
    imports: [
      {stream: {account: BRIDGE, subject: "_INBOX.>"}}
%s    ]
  }
}
`, owner.public, exports.String(), readersAccount, reader.public, denied.String(), relay.public, imports.String())
}
