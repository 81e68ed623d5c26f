package torture

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// The secrets of both ends. They must not be in any log.
const (
	webhookSecret = "torture-secret"
	apiToken      = "torture-token"
)

// A bridge is a bridge process that somebody starts again whenever it ends, as a supervisor does.
type bridge struct {
	*bridgetest.Process
	inbound  *link   // from the sender
	outbound []*link // to each NATS server; none when it has one of its own
	admin    string  // address
	creds    string  // file
	clock    string  // file
	base     []string

	down      sync.Mutex // held by whoever keeps it from being started again
	supervise sync.WaitGroup
}

// versions are configurations that differ in what need not be the same everywhere. The first is the standard one.
var versions = [][]string{
	{},
	{"BRIDGE_RESOURCE=none", "BRIDGE_POLL_ACTIVE=1s", "BRIDGE_POLL_SWEEP=4s", "BRIDGE_POLL_FULL=15s"},
	{"BRIDGE_RESOURCE=full", "BRIDGE_STREAM_MANAGE=verify", "BRIDGE_STREAM_REPLICAS=1", "BRIDGE_MAX_BODY=1MiB"},
}

func newBridge(ctx context.Context, w *world, program, name string) (*bridge, error) {
	dir := w.config.Dir
	b := &bridge{creds: filepath.Join(dir, name+".creds"), clock: filepath.Join(dir, "clock-"+name)}
	listen, err := w.addresses.Next()
	if err != nil {
		return nil, err
	}
	if b.admin, err = w.addresses.Next(); err != nil {
		return nil, err
	}
	if b.Process, err = bridgetest.NewProcess(dir, name, program, "run"); err != nil {
		return nil, err
	}
	if b.inbound, err = newLink(ctx, listen); err != nil {
		return nil, err
	}
	b.base = []string{
		"BRIDGE_LISTEN=" + listen, "BRIDGE_ADMIN_LISTEN=" + b.admin, "BRIDGE_WEBHOOK_SECRETS=" + webhookSecret,
		"BRIDGE_MKIO_URL=http://" + w.api.addr(), "BRIDGE_MKIO_TOKEN=" + apiToken, "BRIDGE_POLL_RATE=60000",
		"BRIDGE_POLL_ACTIVE=2s", "BRIDGE_POLL_SWEEP=5s", "BRIDGE_POLL_FULL=20s", "BRIDGE_DELETE_PATIENCE=10s",
		"BRIDGE_LOG_FORMAT=json", clockVariable + "=" + b.clock,
	}
	return b, nil
}

// configure sets which version of the configuration the next start has. Later settings win.
func (b *bridge) configure(version int) {
	b.SetEnv(slices.Concat(b.base, versions[version%len(versions)])...)
}

// through opens the bridge's links to the servers.
func (b *bridge) through(ctx context.Context, servers []*Server, replicas int) error {
	var urls []string
	for _, s := range servers {
		l, err := newLink(ctx, s.client)
		if err != nil {
			return err
		}
		b.outbound = append(b.outbound, l)
		urls = append(urls, "nats://"+l.addr())
	}
	b.base = append(b.base, "BRIDGE_NATS_URL="+strings.Join(urls, ","), "BRIDGE_NATS_CREDS="+b.creds, fmt.Sprint("BRIDGE_STREAM_REPLICAS=", replicas))
	return nil
}

// restartPause is how long a supervisor waits.
const restartPause = 300 * time.Millisecond

// run keeps the bridge running until the context ends.
func (b *bridge) run(ctx context.Context) {
	b.supervise.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-b.Done():
			case <-ctx.Done():
				return
			}
			b.down.Lock()
			if !b.Running() && ctx.Err() == nil {
				_ = b.Start(ctx) // it is tried again
			}
			b.down.Unlock()
			select {
			case <-time.After(restartPause):
			case <-ctx.Done():
			}
		}
	})
}

// ready says why the bridge is not.
func (b *bridge) ready(ctx context.Context) error {
	_, err := b.ask(ctx, "/readyz")
	return err
}

// ask gets a page of the admin listener.
func (b *bridge) ask(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.admin+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s is %s: %s", b.Name, path, answer.Status, body)
	}
	return string(body), err
}

func (b *bridge) close() {
	b.supervise.Wait()
	b.Close()
	b.inbound.close()
	for _, l := range b.outbound {
		l.close()
	}
}
