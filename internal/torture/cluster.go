package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// A Server is a server of a NATS cluster.
type Server struct {
	*bridgetest.Process
	client, route string // addresses
	store         string
	clock         string // file
	disk          *disk  // of its store; nil: the machine's disk
}

// A Cluster is a NATS cluster whose servers connect to each other through links.
type Cluster struct {
	Servers []*Server
	JS      jetstream.JetStream // without a link

	routes map[[2]int]*link // from, to
	auth   *natsAuth
	admin  *nats.Conn // of JS
}

// NewCluster starts size servers, with stores and logs in dir, and waits until they can hold streams. The caller must close
// the cluster, even after an error.
func NewCluster(ctx context.Context, dir, program string, addresses *bridgetest.Addresses, size int) (*Cluster, error) {
	c := &Cluster{routes: map[[2]int]*link{}}
	var err error
	if c.auth, err = newNATSAuth(); err != nil {
		return c, err
	}
	for i := range size {
		name := fmt.Sprint("n", i+1)
		s := &Server{store: filepath.Join(dir, fmt.Sprint("store-", i+1)), clock: filepath.Join(dir, "clock-"+name)}
		if s.client, err = addresses.Next(); err != nil {
			return c, err
		}
		if s.route, err = addresses.Next(); err != nil {
			return c, err
		}
		if s.Process, err = bridgetest.NewProcess(dir, name, program, "-c", filepath.Join(dir, name+".conf")); err != nil {
			return c, err
		}
		s.SetEnv(clockVariable + "=" + s.clock)
		if s.disk, err = mountDisk(s.store); err != nil {
			s.disk = nil
		}
		c.Servers = append(c.Servers, s)
	}
	if err := c.connectServers(ctx); err != nil {
		return c, err
	}
	for i, s := range c.Servers {
		if err := os.WriteFile(filepath.Join(dir, s.Name+".conf"), []byte(c.config(i)), 0o600); err != nil {
			return c, err
		}
		if err := s.Start(ctx); err != nil {
			return c, err
		}
	}
	return c, c.open(ctx, filepath.Join(dir, "admin.creds"))
}

func (c *Cluster) connectServers(ctx context.Context) error {
	for i := range c.Servers {
		for j, to := range c.Servers {
			if i == j {
				continue
			}
			l, err := newLink(ctx, to.route)
			if err != nil {
				return err
			}
			c.routes[[2]int{i, j}] = l
		}
	}
	return nil
}

// config returns a server's configuration. It advertises no real address, or others would bypass the links.
func (c *Cluster) config(i int) string {
	s := c.Servers[i]
	var routes []string
	for j := range c.Servers {
		if l := c.routes[[2]int{i, j}]; l != nil {
			routes = append(routes, "nats-route://"+l.addr())
		}
	}
	return fmt.Sprintf(`
server_name: %s
listen: %q
jetstream: { store_dir: %q, sync_interval: always, max_file_store: 64G }
cluster: { name: torture, listen: %q, advertise: "127.0.0.1:1", no_advertise: true, routes: [%s] }
lame_duck_grace_period: 1s
%s`, s.Name, s.client, s.store, s.route, strings.Join(routes, ", "), c.auth.serverConfig())
}

// open connects the harness and waits until the cluster can hold streams.
func (c *Cluster) open(ctx context.Context, creds string) error {
	if err := c.auth.writeCredentials(creds, time.Time{}); err != nil {
		return err
	}
	var urls []string
	for _, s := range c.Servers {
		urls = append(urls, "nats://"+s.client)
	}
	var err error
	c.admin, err = nats.Connect(strings.Join(urls, ","), nats.UserCredentials(creds), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.IgnoreAuthErrorAbort(), nats.PingInterval(2*time.Second))
	if err != nil {
		return err
	}
	if c.JS, err = jetstream.New(c.admin); err != nil {
		return err
	}
	return bridgetest.Until(ctx, time.Minute, func(ctx context.Context) error {
		_, err := c.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: len(c.Servers), MaxMsgs: 1})
		if err != nil {
			return err
		}
		_, err = c.JS.Publish(ctx, "probe", nil)
		return err
	})
}

// Leader returns the index of the server that leads a stream.
func (c *Cluster) Leader(ctx context.Context, stream string) (int, error) {
	s, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	if info := s.CachedInfo(); info.Cluster != nil {
		for i, s := range c.Servers {
			if s.Name == info.Cluster.Leader {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("stream %s has no leader", stream)
}

// isolate sets the mode of all links between a server and the others.
func (c *Cluster) isolate(i int, m mode) {
	for pair, l := range c.routes {
		if pair[0] == i || pair[1] == i {
			l.set(m)
		}
	}
}

// CheckReplicas returns an error unless every stream has a leader and current replicas on all servers.
func (c *Cluster) CheckReplicas(ctx context.Context, streams ...string) error {
	for _, name := range streams {
		s, err := c.JS.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		info := s.CachedInfo().Cluster
		if info == nil || info.Leader == "" {
			return fmt.Errorf("stream %s has no leader", name)
		}
		for _, r := range info.Replicas {
			if r.Offline || !r.Current {
				return fmt.Errorf("stream %s is not current on %s", name, r.Name)
			}
		}
	}
	return nil
}

// Close ends the servers and removes their disks, with the stores on these.
func (c *Cluster) Close() error {
	if c.admin != nil {
		c.admin.Close()
	}
	var errs []error
	for _, s := range c.Servers {
		s.Close()
		if s.disk != nil {
			errs = append(errs, s.disk.unmount())
		}
	}
	for _, l := range c.routes {
		l.close()
	}
	return errors.Join(errs...)
}
