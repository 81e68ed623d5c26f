package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A server is one of a NATS cluster.
type server struct {
	*process
	client, route string // addresses
	store         string
	clock         string // file
	disk          *disk  // its own; nil: its store is on the machine's
}

// A cluster is NATS servers that reach each other through links.
type cluster struct {
	servers []*server
	routes  map[[2]int]*link // from, to
	access  *access
	admin   *nats.Conn // not through a link
	js      jetstream.JetStream
}

// newCluster writes down and starts so many servers.
func newCluster(ctx context.Context, dir, program string, size int) (*cluster, error) {
	c := &cluster{routes: map[[2]int]*link{}}
	var err error
	if c.access, err = newAccess(); err != nil {
		return nil, err
	}
	for i := range size {
		s := &server{store: filepath.Join(dir, fmt.Sprint("store-", i+1)), clock: filepath.Join(dir, fmt.Sprint("clock-n", i+1))}
		if s.client, err = freeAddr(ctx); err != nil {
			return nil, err
		}
		if s.route, err = freeAddr(ctx); err != nil {
			return nil, err
		}
		config := filepath.Join(dir, fmt.Sprint("n", i+1, ".conf"))
		s.process = newProcess(dir, fmt.Sprint("n", i+1), program, "-c", config)
		s.setEnv([]string{clockVariable + "=" + s.clock})
		if s.disk, err = mountDisk(s.store); err != nil {
			s.disk = nil
		}
		c.servers = append(c.servers, s)
	}
	if err := c.connectServers(ctx); err != nil {
		return c, err
	}
	for i, s := range c.servers {
		if err := os.WriteFile(filepath.Join(dir, s.name+".conf"), []byte(c.config(i)), 0o600); err != nil {
			return c, err
		}
		if err := s.start(ctx); err != nil {
			return c, err
		}
	}
	return c, c.open(ctx, filepath.Join(dir, "admin.creds"))
}

func (c *cluster) connectServers(ctx context.Context) error {
	for i := range c.servers {
		for j, to := range c.servers {
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

// config is a server's. It tells nobody a true address of itself, or others would go around the links.
func (c *cluster) config(i int) string {
	s := c.servers[i]
	var routes []string
	for j := range c.servers {
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
%s`, s.name, s.client, s.store, s.route, strings.Join(routes, ", "), c.access.config())
}

// open connects the harness itself, and waits until the cluster can hold streams.
func (c *cluster) open(ctx context.Context, creds string) error {
	if err := c.access.credentials(creds, time.Time{}); err != nil {
		return err
	}
	var urls []string
	for _, s := range c.servers {
		urls = append(urls, "nats://"+s.client)
	}
	var err error
	c.admin, err = nats.Connect(strings.Join(urls, ","), nats.UserCredentials(creds), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.IgnoreAuthErrorAbort(), nats.PingInterval(2*time.Second))
	if err != nil {
		return err
	}
	if c.js, err = jetstream.New(c.admin); err != nil {
		return err
	}
	return eventually(ctx, time.Minute, func(ctx context.Context) error {
		_, err := c.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: len(c.servers), MaxMsgs: 1})
		if err != nil {
			return err
		}
		_, err = c.js.Publish(ctx, "probe", nil)
		return err
	})
}

// leader returns which server leads a stream.
func (c *cluster) leader(ctx context.Context, stream string) (int, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	if info := s.CachedInfo(); info.Cluster != nil {
		for i, s := range c.servers {
			if s.name == info.Cluster.Leader {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("stream %s has no leader", stream)
}

// isolate sets the mode of all routes between one server and the others.
func (c *cluster) isolate(i int, m mode) {
	for pair, l := range c.routes {
		if pair[0] == i || pair[1] == i {
			l.set(m)
		}
	}
}

// whole says why the cluster does not hold a stream on all its servers.
func (c *cluster) whole(ctx context.Context, streams ...string) error {
	for _, name := range streams {
		s, err := c.js.Stream(ctx, name)
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

func (c *cluster) close() error {
	if c.admin != nil {
		c.admin.Close()
	}
	var errs []error
	for _, s := range c.servers {
		s.kill()
		if s.disk != nil {
			errs = append(errs, s.disk.unmount())
		}
	}
	for _, l := range c.routes {
		l.close()
	}
	return errors.Join(errs...)
}

// freeAddr is an address that nobody listens on now. It is found once and used again and again.
func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// eventually tries until it succeeds or the time is over, and returns the last error.
func eventually(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
