package brokertest

import (
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A Domain has the URLs of the servers that reach the JetStream of a domain: its own server, and two leaf nodes.
type Domain struct {
	Name, Hub         string
	Leaf              string // URL of a leaf node without JetStream
	LeafWithJetStream string // URL of a leaf node with its own JetStream, in domain leaf
}

// StartDomain runs a server with JetStream in domain hub in this process, and its leaf nodes. They end with the test.
func StartDomain(t testing.TB) Domain {
	t.Helper()
	const name = "hub"
	options := domainOptions(t, name)
	options.LeafNode = server.LeafNodeOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT}
	hub := serve(t, options)
	remote := &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(options.LeafNode.Port))} // the server has chosen the port
	leaf := func(domain string) string {
		options := domainOptions(t, domain)
		options.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}
		s := serve(t, options)
		for s.NumLeafNodes() == 0 {
			if t.Context().Err() != nil {
				t.Fatal("the leaf node has no connection")
			}
			time.Sleep(10 * time.Millisecond) // there is no notification
		}
		return s.ClientURL()
	}
	return Domain{name, hub.ClientURL(), leaf(""), leaf("leaf")}
}

// domainOptions returns the options of a server with JetStream in a domain; "": without JetStream.
func domainOptions(t testing.TB, domain string) *server.Options {
	t.Helper()
	return &server.Options{
		ServerName: "server-" + domain, Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: domain != "", JetStreamDomain: domain, StoreDir: t.TempDir(),
	}
}
