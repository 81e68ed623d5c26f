package bridgetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// A NATS is an external NATS server with JetStream and a configuration file. It ends with the test.
type NATS struct {
	*Process
	URL string

	t    testing.TB
	file string
}

// StartNATS runs a server with settings besides those for its address and store.
func StartNATS(t testing.TB, settings string, args ...string) *NATS {
	t.Helper()
	dir := t.TempDir()
	n := &NATS{t: t, file: filepath.Join(dir, "nats.conf")}
	n.Configure(settings)
	var err error
	n.Process, err = NewProcess(dir, "nats", Program(t, NATSPackage), append([]string{
		"-c", n.file, "-js", "-sd", filepath.Join(dir, "js"), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", dir,
	}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.thaw() // a stopped process handles signals only after SIGCONT
		n.Close()
		if t.Failed() {
			t.Logf("the NATS server logged:\n%s", n.Log)
		}
	})
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "NATS server listens", func() bool { n.URL = clientURL(dir); return n.URL != "" || !n.Running() })
	if n.URL == "" {
		t.Fatal("the NATS server ended")
	}
	return n
}

// Configure writes the settings for the next start or reload.
func (n *NATS) Configure(settings string) {
	n.t.Helper()
	if err := os.WriteFile(n.file, []byte(settings), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// clientURL reads the address from the file that a server writes when it listens; "" if there is none yet.
func clientURL(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*.ports"))
	if err != nil || len(files) == 0 {
		return ""
	}
	content, err := os.ReadFile(files[0])
	var ports struct {
		Nats []string `json:"nats"`
	}
	if err != nil || json.Unmarshal(content, &ports) != nil || len(ports.Nats) == 0 {
		return ""
	}
	return ports.Nats[0]
}
