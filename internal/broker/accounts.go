package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
)

// A pass lets its holder in from inside the process. It is of this process alone.
type pass struct {
	key    nkeys.KeyPair
	public string
}

func newPass() (pass, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return pass{}, err
	}
	public, err := key.PublicKey()
	return pass{key, public}, err
}

const (
	ownerAccount   = "BRIDGE"
	readersAccount = "READERS"
)

// accounts is the server's configuration of who may do what. Streams belong to BRIDGE; READERS get
// the services that read them, and nothing that writes. The carrier brings them what is published
// (tap.go); that readers may not publish there themselves spares them each other's forgeries. It passes on as well, below
// a prefix of its own, what readers ask of the streams (porter.go). Who brings nothing is let in as the reader.
// CONSUMER.LIST and CONSUMER.NAMES are not among the services: whoever knows the name of another's consumer can change
// or delete it.
func accounts(owner, carrier, reader pass, subjects []string) string {
	services := []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.DELETE.>",
		"$JS.API.CONSUMER.INFO.>",
		"$JS.ACK.>", "$JS.FC.>",
	}
	var exports, imports, tapped strings.Builder
	for _, s := range services {
		fmt.Fprintf(&exports, "      {service: %q, response: stream}\n", s)
		fmt.Fprintf(&imports, "      {service: {account: BRIDGE, subject: %q}}\n", s)
	}
	for _, s := range slices.Concat(lookRequests, makeRequests, nextRequests, []string{infoRequest + ">"}) {
		fmt.Fprintf(&imports, "      {service: {account: BRIDGE, subject: %q}, to: %q}\n", s, porterPrefix+s)
	}
	for _, s := range slices.Concat(lookRequests, makeRequests, nextRequests) {
		fmt.Fprintf(&exports, "      {service: %q, response: stream}\n", s)
	}
	for _, s := range slices.Concat(subjects, []string{porterPrefix + ">"}) {
		fmt.Fprintf(&tapped, "        %q\n", s)
	}
	// Push consumers deliver to a reader's inbox, hence the one stream that is exported.
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
`, owner.public, exports.String(), readersAccount, reader.public, tapped.String(), carrier.public, imports.String())
}
