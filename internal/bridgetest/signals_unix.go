//go:build unix

package bridgetest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Reload makes the server read its settings again.
func (n *NATS) Reload() { n.Signal(syscall.SIGHUP) }

// Freeze stops the server, as one that hangs, and returns when it has stopped.
func (n *NATS) Freeze() {
	n.t.Helper()
	n.Signal(syscall.SIGSTOP)
	Eventually(n.t, "the NATS server is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID()))
		if err != nil {
			n.t.Fatal(err)
		}
		return strings.Contains(string(stat), ") T ")
	})
}

// Thaw lets the server go on.
func (n *NATS) Thaw() { n.thaw() }

func (n *NATS) thaw() { n.Signal(syscall.SIGCONT) }

// ownGroup makes a command, and what it starts, a process group.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return signalGroup(command.Process, os.Kill) }
}

// signalGroup sends a signal to all of the group of a process.
func signalGroup(p *os.Process, s os.Signal) error { return syscall.Kill(-p.Pid, s.(syscall.Signal)) }
