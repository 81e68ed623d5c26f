package torture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a program that is started again and again under one name. All it says goes to one file.
type process struct {
	name    string
	program string
	args    []string
	logFile string

	mu      sync.Mutex
	env     []string
	command *exec.Cmd
	ended   chan struct{} // closed when the command has ended
	exits   map[string]int
	peak    int64 // bytes of memory that it ever held
}

func newProcess(dir, name, program string, args ...string) *process {
	return &process{name: name, program: program, args: args, logFile: filepath.Join(dir, name+".log"), exits: map[string]int{}}
}

// start begins the program, which must not be running.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p.command = exec.CommandContext(ctx, p.program, p.args...)
	p.command.Env = append(os.Environ(), p.env...)
	p.command.Stdout, p.command.Stderr = log, log
	err = p.command.Start()
	_ = log.Close() // the process has it
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	p.ended = ended
	go p.wait(p.command, ended)
	return nil
}

// wait notes how the command ends.
func (p *process) wait(command *exec.Cmd, ended chan struct{}) {
	err := command.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	how := "exit 0"
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		how = exit.String()
	}
	p.exits[how]++
	close(ended)
}

// signal sends a signal to a running command.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != nil {
		p.measure()
		_ = p.command.Process.Signal(s) // it may have ended
	}
}

// measure notes how much memory the command has held so far. What the system tells of one that has ended is no use: it
// counts what its parent held when it was started. The caller holds the lock.
func (p *process) measure() {
	if p.command == nil {
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return // it has ended, or this is no Linux
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			p.peak = max(p.peak, kib<<10)
		}
	}
}

// running says whether the command has not ended.
func (p *process) running() bool {
	select {
	case <-p.done():
		return false
	default:
		return true
	}
}

// done is closed when the command has ended.
func (p *process) done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return p.ended
}

// kill ends the command as a power switch would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done()
}

// stop asks the command to end, and says so when it does not.
func (p *process) stop(s syscall.Signal, within time.Duration) error {
	p.signal(s)
	select {
	case <-p.done():
		return nil
	case <-time.After(within):
		p.kill()
		return fmt.Errorf("%s did not stop within %s", p.name, within)
	}
}

func (p *process) setEnv(env []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = env
}

// told returns how often the program ended in which way, and the most memory it ever held.
func (p *process) told() (exits map[string]int, peak int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return maps.Clone(p.exits), p.peak
}

// find returns the first lines of its log that have one of the words.
func (p *process) find(most int, words ...string) ([]string, error) {
	log, err := os.ReadFile(p.logFile)
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(log)) {
		if len(found) < most && slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found, nil
}
