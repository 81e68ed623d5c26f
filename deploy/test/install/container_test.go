package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Programs of the images, as paths in their containers, and what the Dockerfile sets.
const (
	bridgeInImage = "/mkio-bridge"
	natsInImage   = "nats-server" // the entrypoint of the image nats
	wgetInImage   = "wget"
)

// A container is a container of a service as a process of this machine. Its network is a loopback address of its own, so
// that every container can listen on the same ports; its files are in a directory.
type container struct {
	service  types.ServiceConfig
	ip       string
	dir      string
	programs map[string]string // paths on this machine, by program in the image
	hosts    map[string]string // addresses of all services, by name

	stopping chan struct{} // closed by stop; nil before start
	ended    chan struct{} // closed when the process has ended for good
}

var (
	ownAddress = regexp.MustCompile(`\b(0\.0\.0\.0|127\.0\.0\.1)\b`)
	anyAddress = regexp.MustCompile(`^:\d+$`)
	hostOfURL  = regexp.MustCompile(`//([a-z][a-z0-9-]*):`)
)

// translate replaces the container's addresses, host names and paths in a value by those of the process.
func (c *container) translate(value string) string {
	if anyAddress.MatchString(value) {
		return c.ip + value
	}
	value = ownAddress.ReplaceAllString(value, c.ip)
	value = hostOfURL.ReplaceAllStringFunc(value, func(host string) string {
		name := strings.Trim(host, "/:")
		address, ok := c.hosts[name]
		if !ok {
			return host // not a service: the process fails to resolve it, as the container would
		}
		return "//" + address + ":"
	})
	for _, target := range c.paths() {
		value = replacePath(value, target, filepath.Join(c.dir, path.Base(target)))
	}
	return value
}

// paths returns the mounted paths.
func (c *container) paths() (targets []string) {
	for _, v := range c.service.Volumes {
		targets = append(targets, v.Target)
	}
	for _, f := range c.service.Configs {
		targets = append(targets, f.Target)
	}
	return targets
}

// replacePath replaces a path, and not one that merely begins like it.
func replacePath(value, from, to string) string {
	return regexp.MustCompile(`(^|[\s"=])`+regexp.QuoteMeta(from)+`($|[\s",/])`).ReplaceAllString(value, "${1}"+to+"${2}")
}

// environment returns the variables of the process: those of the service, and none of the tests' settings.
func (c *container) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	for _, name := range slices.Sorted(maps.Keys(c.service.Environment)) {
		if value := c.service.Environment[name]; value != nil {
			env = append(env, name+"="+c.translate(*value))
		}
	}
	return env
}

// exec returns a command in the container, as `docker compose exec` runs it.
func (c *container) exec(ctx context.Context, program string, args ...string) *exec.Cmd {
	translated := make([]string, len(args))
	for i, arg := range args {
		translated[i] = c.translate(arg)
	}
	command := exec.CommandContext(ctx, c.programs[program], translated...)
	command.Dir, command.Env = c.dir, c.environment()
	return command
}

// start runs the service's command, and runs it again when it ends, as the restart policy says.
func (c *container) start(project *types.Project) error {
	for _, f := range c.service.Configs {
		content := c.translate(project.Configs[f.Source].Content)
		if err := os.WriteFile(filepath.Join(c.dir, path.Base(f.Target)), []byte(content), 0o600); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	c.stopping, c.ended = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(c.ended)
		defer log.Close()
		for range maxRuns {
			if c.run(log) {
				return
			}
		}
	}()
	return nil
}

// maxRuns bounds the restarts: bridges that start together with a new cluster may need one.
const maxRuns = 4

// run runs the service's command once, and reports whether it was stopped. The log says how it ended.
func (c *container) run(log *os.File) (stopped bool) {
	entrypoint := bridgeInImage
	if c.service.Build == nil {
		entrypoint = natsInImage
	}
	command := c.exec(context.Background(), entrypoint, c.service.Command...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		fmt.Fprintln(log, err)
		return false
	}
	done := make(chan struct{})
	go func() { _ = command.Wait(); close(done) }()
	select {
	case <-done:
		return false
	case <-c.stopping:
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(c.patience()):
		fmt.Fprintln(log, outOfPatience)
		_ = command.Process.Kill()
		<-done
	}
	return true
}

const outOfPatience = "killed, because it did not stop within its stop_grace_period"

// patience returns the time that Docker gives the container to stop.
func (c *container) patience() time.Duration {
	if c.service.StopGracePeriod == nil {
		return 10 * time.Second // Docker's default
	}
	return time.Duration(*c.service.StopGracePeriod)
}

// stop stops the process as Docker does, and prints its log if the test failed.
func (c *container) stop(t *testing.T) {
	t.Helper()
	if c.stopping == nil {
		return // not started
	}
	close(c.stopping)
	<-c.ended
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil || strings.Contains(string(text), outOfPatience) {
		t.Errorf("%s: %s (%v)", c.service.Name, outOfPatience, err)
	}
	if t.Failed() {
		t.Logf("%s logged:\n%s", c.service.Name, text)
	}
}

// awaitHealthy repeats the service's health check until it succeeds.
func (c *container) awaitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := c.checkHealth(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-c.ended:
			return fmt.Errorf("%s ended", c.service.Name)
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: %w", c.service.Name, err)
		}
	}
}

// checkHealth runs the service's health check once. wget is in the image of NATS, but not on every machine: its request is
// made here.
func (c *container) checkHealth(ctx context.Context) error {
	test := c.service.HealthCheck.Test
	switch {
	case len(test) < 2 || test[0] != "CMD":
		return fmt.Errorf("health check %q is no command", test)
	case test[1] == wgetInImage:
		return get(ctx, c.translate(test[len(test)-1]))
	case c.programs[test[1]] == "":
		return fmt.Errorf("health check runs %s, which is not in the image", test[1])
	}
	var output bytes.Buffer
	command := c.exec(ctx, test[1], test[2:]...)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, output.String())
	}
	return nil
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
