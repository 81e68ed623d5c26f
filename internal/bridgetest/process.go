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

// A Process is a program that can be started repeatedly under one name. Everything it writes goes to one [Log], unless
// [Process.SplitOutput] is called.
type Process struct {
	Name   string
	Log    *Log
	Output *Log // standard output; the same as Log unless split

	// Dir is the working directory; "": that of the tests. With Group, signals also reach the program's children, as they do
	// from a terminal or a supervisor. Both must be set before the first start.
	Dir   string
	Group bool

	dir     string // of the logs
	program string
	args    []string

	mu          sync.Mutex
	env         []string
	command     *exec.Cmd
	done        chan struct{}  // closed when the last run has ended; nil before the first
	err         error          // of the last run
	exits       map[string]int // number of runs by exit status
	peakMemory  int64          // peak resident set size, in bytes
	startOffset int64          // offset of the last run in the log
}

// NewProcess returns a process that is not started; its log is a file in dir.
func NewProcess(dir, name, program string, args ...string) (*Process, error) {
	log, err := openLog(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	return &Process{Name: name, Log: log, Output: log, dir: dir, program: program, args: args, exits: map[string]int{}}, nil
}

// SplitOutput gives standard output its own log, for a program whose output is a result. It must be called before the first
// start.
func (p *Process) SplitOutput() error {
	output, err := openLog(filepath.Join(p.dir, p.Name+".out"))
	if err == nil {
		p.Output = output
	}
	return err
}

// SetEnv sets variables for the next start, in addition to the environment of the tests. Later values win.
func (p *Process) SetEnv(env ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = env
}

// Start starts the program, which must not be running. It is killed when ctx ends.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.Log.path)
	if err != nil {
		return err
	}
	p.startOffset = info.Size()
	p.command = exec.CommandContext(ctx, p.program, p.args...)
	p.command.Dir, p.command.Env = p.Dir, append(os.Environ(), p.env...)
	p.command.Stdout, p.command.Stderr = p.Output, p.Log
	if p.Group {
		setProcessGroup(p.command)
	}
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.done = make(chan struct{})
	go p.wait(p.command, p.done)
	return nil
}

// wait records how the command ends.
func (p *Process) wait(command *exec.Cmd, done chan struct{}) {
	err := command.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	status := "exit 0"
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.String()
	}
	p.err = err
	p.exits[status]++
	close(done)
}

// Signal sends a signal to a running program; it does nothing after its end.
func (p *Process) Signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.done == nil || isClosed(p.done): // not running
	case p.Group:
		p.measureMemory()
		_ = signalGroup(p.command.Process, s)
	default:
		p.measureMemory()
		_ = p.command.Process.Signal(s)
	}
}

// PID returns the process id of the last run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.command.Process.Pid
}

// Done returns a channel that is closed when the last run has ended, or if there was none.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return p.done
}

// Running reports whether the last run has not ended.
func (p *Process) Running() bool { return !isClosed(p.Done()) }

// Wait waits until the program has ended, and returns its error with the log of that run.
func (p *Process) Wait() error {
	<-p.Done()
	p.mu.Lock()
	err, from := p.err, p.startOffset
	p.mu.Unlock()
	if err == nil {
		return nil
	}
	output, _ := readFrom(p.Log.path, from) // without the log the error still says enough
	return fmt.Errorf("%s: %w: %s", p.Name, err, output)
}

// Kill sends SIGKILL, like a power failure, and waits.
func (p *Process) Kill() {
	p.Signal(os.Kill)
	<-p.Done()
}

// Stop sends a signal and waits; a program that does not end in time is killed, which is an error.
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

// Terminate sends SIGTERM, as a supervisor does, and returns how the program ended.
func (p *Process) Terminate() error {
	if err := p.Stop(syscall.SIGTERM, time.Minute); err != nil {
		return err
	}
	return p.Wait()
}

// AwaitLine waits up to a minute for a matching line of the last run.
func (p *Process) AwaitLine(ctx context.Context, matches func(line string) bool) error {
	_, err := p.awaitFrom(ctx, 0, matches)
	return err
}

// awaitFrom is [Process.AwaitLine] from an offset of the log on; it returns the offset of the line's end.
func (p *Process) awaitFrom(ctx context.Context, from int64, matches func(line string) bool) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.mu.Lock()
	from = max(from, p.startOffset)
	p.mu.Unlock()
	end, err := p.Log.Await(ctx, from, p.Done(), matches)
	if err != nil {
		err = fmt.Errorf("%s: %w", p.Name, err)
	}
	return end, err
}

// Exits returns the number of runs by exit status, and the peak memory in bytes.
func (p *Process) Exits() (exits map[string]int, peak int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measureMemory()
	return maps.Clone(p.exits), p.peakMemory
}

// Close kills the program and closes its logs, which can still be read.
func (p *Process) Close() {
	p.Kill()
	_ = p.Log.close()
	if p.Output != p.Log {
		_ = p.Output.close()
	}
}

// measureMemory updates the peak memory. The kernel's rusage of an ended process is useless, because it includes the memory
// of the parent before exec. The caller holds the lock.
func (p *Process) measureMemory() {
	if p.command == nil {
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return // ended, or not Linux
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			p.peakMemory = max(p.peakMemory, kib<<10)
		}
	}
}

// ExitCode returns the exit code of the last run, which has ended; -1 after a signal.
func (p *Process) ExitCode() int {
	<-p.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.command.ProcessState.ExitCode()
}
