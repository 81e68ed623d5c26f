package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is a program that may be started again and again under one name. All it writes, on both its outputs, goes to
// one [Log], unless [Process.SplitOutput] is called.
type Process struct {
	Name   string
	Log    *Log
	Output *Log // standard output; the same as Log, unless it was split off

	// Dir is the working directory; "": that of the tests. Group: signals reach what the program started too, as they do
	// from a terminal or a supervisor. Both are set before the first start.
	Dir   string
	Group bool

	dir     string // of the logs
	program string
	args    []string

	mu      sync.Mutex
	env     []string
	command *exec.Cmd
	ended   chan struct{}  // closed when the command has ended; nil before the first start
	err     error          // how the last run ended
	exits   map[string]int // by how they ended
	peak    int64          // bytes of memory that it ever held
	started int64          // where in the log the last run begins
}

// NewProcess describes a process; its log is a file in dir.
func NewProcess(dir, name, program string, args ...string) (*Process, error) {
	log, err := openLog(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	return &Process{Name: name, Log: log, Output: log, dir: dir, program: program, args: args, exits: map[string]int{}}, nil
}

// SplitOutput gives standard output a log of its own, for a program whose output is a result. It is called before the
// first start.
func (p *Process) SplitOutput() error {
	output, err := openLog(filepath.Join(p.dir, p.Name+".out"))
	if err == nil {
		p.Output = output
	}
	return err
}

// SetEnv sets the environment of the next start, besides that of the tests. Later settings win.
func (p *Process) SetEnv(env ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = env
}

// Start begins the program, which must not be running. The program is killed when the context ends.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.Log.path)
	if err != nil {
		return err
	}
	p.started = info.Size()
	p.command = exec.CommandContext(ctx, p.program, p.args...)
	p.command.Dir, p.command.Env = p.Dir, append(os.Environ(), p.env...)
	p.command.Stdout, p.command.Stderr = p.Output, p.Log
	if p.Group {
		ownGroup(p.command)
	}
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.ended = make(chan struct{})
	go p.wait(p.command, p.ended)
	return nil
}

// wait notes how the command ends.
func (p *Process) wait(command *exec.Cmd, ended chan struct{}) {
	err := command.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	how := "exit 0"
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		how = exit.String()
	}
	p.err = err
	p.exits[how]++
	close(ended)
}

// Signal sends a signal to a running command; one that has ended takes none.
func (p *Process) Signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended == nil || isClosed(p.ended): // it takes none
	case p.Group:
		p.measure()
		_ = signalGroup(p.command.Process, s)
	default:
		p.measure()
		_ = p.command.Process.Signal(s)
	}
}

// PID is the process id of the last run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.command.Process.Pid
}

// Done is closed when the last run has ended, and when there was none.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return p.ended
}

// Running says whether the last run has not ended.
func (p *Process) Running() bool { return !isClosed(p.Done()) }

// Wait waits until the program has ended by itself and returns how, with what it logged in that run when it failed.
func (p *Process) Wait() error {
	<-p.Done()
	p.mu.Lock()
	err, from := p.err, p.started
	p.mu.Unlock()
	if err == nil {
		return nil
	}
	said, _ := readFrom(p.Log.path, from) // the error tells more than that the log is gone
	return fmt.Errorf("%s: %w: %s", p.Name, err, said)
}

// Kill ends the command as a power switch would.
func (p *Process) Kill() {
	p.Signal(os.Kill)
	<-p.Done()
}

// Stop asks the command to end, and kills it when it does not within a while, which is an error.
func (p *Process) Stop(s os.Signal, within time.Duration) error {
	p.Signal(s)
	select {
	case <-p.Done():
		return nil
	case <-time.After(within):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s", p.Name, within)
	}
}

// Terminate asks the command to end as a supervisor does, and returns how it ended.
func (p *Process) Terminate() error {
	if err := p.Stop(syscall.SIGTERM, time.Minute); err != nil {
		return err
	}
	return p.Wait()
}

// AwaitLine waits for a line of the last run that matches, within a minute.
func (p *Process) AwaitLine(ctx context.Context, matches func(line string) bool) error {
	_, err := p.awaitFrom(ctx, 0, matches)
	return err
}

// awaitFrom is [Process.AwaitLine] behind an offset of the log; it returns where the line ends.
func (p *Process) awaitFrom(ctx context.Context, from int64, matches func(line string) bool) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.mu.Lock()
	from = max(from, p.started)
	p.mu.Unlock()
	end, err := p.Log.Await(ctx, from, p.Done(), matches)
	if err != nil {
		err = fmt.Errorf("%s: %w", p.Name, err)
	}
	return end, err
}

// Ended returns how often the program ended in which way, and the most memory in bytes that it was ever seen to hold.
func (p *Process) Ended() (exits map[string]int, peak int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return maps.Clone(p.exits), p.peak
}

// Close kills the command and closes its logs, which can still be read.
func (p *Process) Close() {
	p.Kill()
	_ = p.Log.close()
	if p.Output != p.Log {
		_ = p.Output.close()
	}
}

// measure notes how much memory the command has held so far. What the system tells of one that has ended is no use: it
// counts what its parent held when it was started. The caller holds the lock.
func (p *Process) measure() {
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
