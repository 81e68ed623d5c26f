//go:build unix

package bridgetest

import (
	"fmt"
	"os"
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
