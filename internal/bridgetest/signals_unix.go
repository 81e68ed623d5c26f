//go:build unix

package bridgetest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Reload makes the server reload its configuration.
func (n *NATS) Reload() { n.Signal(syscall.SIGHUP) }

// Freeze stops the server with SIGSTOP, like a hanging one, and returns when it is stopped.
func (n *NATS) Freeze() {
	n.t.Helper()
	n.Signal(syscall.SIGSTOP)
	Eventually(n.t, "NATS server is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID()))
		if err != nil {
			n.t.Fatal(err)
		}
		return strings.Contains(string(stat), ") T ")
	})
}

// Thaw continues a frozen server.
func (n *NATS) Thaw() { n.thaw() }

func (n *NATS) thaw() { n.Signal(syscall.SIGCONT) }

// setProcessGroup makes a command and its children a process group.
func setProcessGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return signalGroup(command.Process, os.Kill) }
}

// signalGroup sends a signal to the process group of a process.
func signalGroup(p *os.Process, s os.Signal) error { return syscall.Kill(-p.Pid, s.(syscall.Signal)) }
