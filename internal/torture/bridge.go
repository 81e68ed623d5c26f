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

// Secrets of sender and API. They must not be in any log.
const (
	webhookSecret = "torture-secret"
	apiToken      = "torture-token"
)

// A bridge is a bridge process that is restarted whenever it ends, as by a supervisor.
type bridge struct {
	*bridgetest.Process
	inbound  *link   // from the sender
	outbound []*link // to each NATS server; none if embedded
	admin    string  // address
	creds    string  // file
	clock    string  // file
	env      []string

	starting  sync.Mutex // held while the supervisor must not start it
	supervise sync.WaitGroup
}

// configurations differ in settings that may differ between bridges. The first is the standard one.
var configurations = [][]string{
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
	b.env = []string{
		"BRIDGE_LISTEN=" + listen, "BRIDGE_ADMIN_LISTEN=" + b.admin, "BRIDGE_WEBHOOK_SECRETS=" + webhookSecret,
		"BRIDGE_MKIO_URL=http://" + w.api.addr(), "BRIDGE_MKIO_TOKEN=" + apiToken, "BRIDGE_POLL_RATE=60000",
		"BRIDGE_POLL_ACTIVE=2s", "BRIDGE_POLL_SWEEP=5s", "BRIDGE_POLL_FULL=20s", "BRIDGE_DELETE_PATIENCE=10s",
		"BRIDGE_LOG_FORMAT=json", clockVariable + "=" + b.clock,
	}
	return b, nil
}

// configure sets the configuration of the next start. Later variables win.
func (b *bridge) configure(version int) {
	b.SetEnv(slices.Concat(b.env, configurations[version%len(configurations)])...)
}

// openLinks opens the bridge's links to the NATS servers.
func (b *bridge) openLinks(ctx context.Context, servers []*Server, replicas int) error {
	var urls []string
	for _, s := range servers {
		l, err := newLink(ctx, s.client)
		if err != nil {
			return err
		}
		b.outbound = append(b.outbound, l)
		urls = append(urls, "nats://"+l.addr())
	}
	b.env = append(b.env, "BRIDGE_NATS_URL="+strings.Join(urls, ","), "BRIDGE_NATS_CREDS="+b.creds, fmt.Sprint("BRIDGE_STREAM_REPLICAS=", replicas))
	return nil
}

// restartPause is the supervisor's pause between restarts.
const restartPause = 300 * time.Millisecond

// run supervises the bridge until ctx ends.
func (b *bridge) run(ctx context.Context) {
	b.supervise.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-b.Done():
			case <-ctx.Done():
				return
			}
			b.starting.Lock()
			if !b.Running() && ctx.Err() == nil {
				_ = b.Start(ctx) // retried after the pause
			}
			b.starting.Unlock()
			select {
			case <-time.After(restartPause):
			case <-ctx.Done():
			}
		}
	})
}

// ready returns an error if the bridge is not ready.
func (b *bridge) ready(ctx context.Context) error {
	_, err := b.get(ctx, "/readyz")
	return err
}

// get requests a path of the admin listener.
func (b *bridge) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.admin+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s is %s: %s", b.Name, path, response.Status, body)
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
