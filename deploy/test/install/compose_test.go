// Package install tests what docs/install.md installs. compose.yaml is loaded by the library of Docker Compose, and its services'
// commands run as processes until events arrive; the systemd unit is verified; the list of release files is compared.
package install

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/graph"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	root          = "../../.."
	bridgePackage = "./cmd/bridge"
)

// load loads compose.yaml with the profiles.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{root + "/compose.yaml"}, cli.WithProfiles(profiles), cli.WithDiscardEnvFile)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestServicesByProfile(t *testing.T) {
	if got := load(t).ServiceNames(); !slices.Equal(got, []string{"bridge", "mkio"}) {
		t.Errorf("without a profile: %v", got)
	}
	if got := load(t, "notify").ServiceNames(); !slices.Equal(got, []string{"bridge", "mkio", "notify"}) {
		t.Errorf("notify: %v", got)
	}
	if got := load(t, "cluster").ServiceNames(); !slices.Equal(got, []string{"bridge", "bridges", "mkio", "nats-1", "nats-2", "nats-3"}) {
		t.Errorf("cluster: %v", got)
	}
}

// A trial with public secrets must not be reachable from other machines, and restarts by itself.
func TestServicesAreForATrial(t *testing.T) {
	published := map[string]string{}
	for name, service := range load(t, "cluster", "notify").Services {
		for _, p := range service.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes port %s on %q", name, p.Published, p.HostIP)
			}
			if other := published[p.Published]; other != "" {
				t.Errorf("%s and %s publish port %s", name, other, p.Published)
			}
			published[p.Published] = name
		}
		if service.HealthCheck == nil || service.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("%s has health check %v and restart policy %q", name, service.HealthCheck, service.Restart)
		}
		if service.Build != nil && (!service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"})) {
			t.Errorf("%s can write its files or has capabilities", name)
		}
	}
}

// A bridge that is reachable from other containers has other rules than one on loopback, as the processes of the next test.
func TestSettingsAreAccepted(t *testing.T) {
	programs := build(t)
	for name, service := range load(t, "cluster").Services {
		if service.Build == nil || service.Command[0] != "run" {
			continue
		}
		command := exec.CommandContext(t.Context(), programs[bridgeInImage], "config")
		for variable, value := range service.Environment {
			command.Env = append(command.Env, variable+"="+*value)
		}
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
}

// The notifier's rules and arguments are those that the program has.
func TestNotifierIsConfigured(t *testing.T) {
	project := load(t, "notify")
	service := project.Services["notify"]
	rules := project.Configs[service.Configs[0].Source].File
	if at := slices.Index(service.Command, "--config"); at < 0 || service.Command[at+1] != service.Configs[0].Target {
		t.Fatalf("the command %v does not read %s", service.Command, service.Configs[0].Target)
	}
	command := exec.CommandContext(t.Context(), build(t)[bridgeInImage], "notify", "--config", rules, "--check")
	command.Env = append(os.Environ(), "NOTIFY_SLACK_URL=slack://hook:T0000AAAA-B0000BBBB-24charactersOfTheSecret0@webhook")
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func TestEventsArrive(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a loopback address for each container")
	}
	project := load(t, "cluster")
	all := containers(t, project, build(t))
	t.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, c := range slices.Concat(slices.Collect(maps.Values(all))...) {
			stopping.Go(func() { c.stop(t) })
		}
		stopping.Wait()
	})
	err := graph.InDependencyOrder(t.Context(), project, func(ctx context.Context, name string, _ types.ServiceConfig) error {
		for _, c := range all[name] {
			if err := c.start(project); err != nil {
				return err
			}
		}
		for _, c := range all[name] {
			if err := c.awaitHealthy(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bridge", "bridges"} {
		for i, c := range all[name] {
			t.Run(fmt.Sprint(name, "-", i+1), func(t *testing.T) { awaitDelivery(t, c) })
		}
	}
	runCommandsOfThePage(t, all)
}

// containers returns the containers of each service.
func containers(t *testing.T, project *types.Project, programs map[string]string) map[string][]*container {
	t.Helper()
	network := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250)) // tests of several clones may run at a time
	hosts, all := map[string]string{}, map[string][]*container{}
	next := 1
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		service := project.Services[name]
		for range service.GetScale() {
			c := &container{
				service: service, ip: fmt.Sprint(network, next), dir: t.TempDir(), programs: programs, hosts: hosts,
			}
			next++
			hosts[name] = c.ip
			all[name] = append(all[name], c)
		}
	}
	return all
}

// buildOnce builds the programs of the images; see build.
var buildOnce = sync.OnceValues(func() (map[string]string, error) {
	programs := map[string]string{bridgeInImage: filepath.Join(programsDir, "mkio-bridge"), natsInImage: filepath.Join(programsDir, "nats-server")}
	for program, pkg := range map[string]string{bridgeInImage: bridgePackage, natsInImage: "github.com/nats-io/nats-server/v2"} {
		command := exec.Command("go", "build", "-o", programs[program], pkg)
		command.Dir = root
		if output, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", pkg, err, output)
		}
	}
	return programs, nil
})

// programsDir is where the programs are built.
var programsDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		panic(err)
	}
	programsDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build returns the paths of the images' programs, by their paths in the image.
func build(t *testing.T) map[string]string {
	t.Helper()
	programs, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// awaitDelivery follows the log until it has an event that a webhook delivered.
func awaitDelivery(t *testing.T, c *container) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := c.exec(ctx, bridgeInImage, "events", "--follow", "--output", "json")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = command.Wait() }()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var event struct{ Data struct{ Via string } }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if event.Data.Via == "webhook" {
			return
		}
	}
	t.Error("no webhook was delivered")
}
