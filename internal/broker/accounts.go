package broker

import (
	"fmt"
	"strings"
)

// accounts is the server's configuration of who may do what. Streams belong to BRIDGE; READERS get
// the log's subjects and the services that read it, and nothing that writes.
func accounts(owner string, subjects []string) string {
	streams := append([]string{"_INBOX.>"}, subjects...) // push consumers deliver to a reader's inbox
	services := []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*",
		"$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.>", "$JS.ACK.>", "$JS.FC.>",
	}
	var exports, imports strings.Builder
	for _, s := range streams {
		fmt.Fprintf(&exports, "      {stream: %q}\n", s)
		fmt.Fprintf(&imports, "      {stream: {account: BRIDGE, subject: %q}}\n", s)
	}
	for _, s := range services {
		fmt.Fprintf(&exports, "      {service: %q, response: stream}\n", s)
		fmt.Fprintf(&imports, "      {service: {account: BRIDGE, subject: %q}}\n", s)
	}
	return fmt.Sprintf(`
accounts {
  BRIDGE: {
    jetstream: enabled
    users: [{nkey: %q}]
    exports: [
%s    ]
  }
  READERS: {
    users: [{user: reader, password: ""}]
    imports: [
%s    ]
  }
}
no_auth_user: reader
`, owner, exports.String(), imports.String())
}
