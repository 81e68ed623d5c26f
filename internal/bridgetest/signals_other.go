//go:build !unix

package bridgetest

import (
	"os"
	"os/exec"
)

func (n *NATS) thaw() {} // no SIGSTOP

// setProcessGroup does nothing: there are no process groups, and signals reach one process.
func setProcessGroup(*exec.Cmd) {}

func signalGroup(p *os.Process, s os.Signal) error { return p.Signal(s) }
