package brokertest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConnectToCluster runs a cluster of three NATS servers in this process, and connects to it. A replicated stream returns
// other errors for some requests than a stream on a single server. All ends with the test.
func ConnectToCluster(t testing.TB) jetstream.JetStream {
	t.Helper()
	dir := t.TempDir()
	reserved, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // a cluster with JetStream needs an initial route
	if err != nil {
		t.Fatal(err)
	}
	first := &url.URL{Scheme: "nats", Host: reserved.Addr().String()}
	routePort := reserved.Addr().(*net.TCPAddr).Port
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	servers := make([]*server.Server, 3)
	for i := range servers {
		options := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: filepath.Join(dir, strconv.Itoa(i)), JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 1 << 26,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: routePort},
			Routes:  []*url.URL{first},
		}
		s, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		servers[i], routePort = s, server.RANDOM_PORT
	}
	for _, s := range servers {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the NATS server is not ready")
		}
	}
	nc, err := nats.Connect(servers[0].ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second)) // a cluster without a leader does not respond
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// CreateReplicated creates a bucket with three replicas as soon as the cluster has a leader.
func CreateReplicated(t testing.TB, js jetstream.JetStream, c jetstream.KeyValueConfig) jetstream.KeyValue {
	t.Helper()
	c.Replicas = 3
	for {
		bucket, err := js.CreateKeyValue(t.Context(), c)
		if err == nil {
			return bucket
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // there is no notification of a leader
	}
}
