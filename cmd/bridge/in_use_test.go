package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/broker"
)

// occupied returns an address that a listener has until the test ends.
func occupied(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// occupiedStore returns a store directory that another bridge has until the test ends.
func occupiedStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "the store")
	other, err := broker.Start(broker.EmbeddedConfig{StoreDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Shutdown)
	return dir
}

// typed sets the variables of a suggested command, and returns its other words.
func typed(t *testing.T, line string) string {
	t.Helper()
	for {
		assignment, rest, found := strings.Cut(line, " ")
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || !found {
			return line
		}
		if quoted, ok := strings.CutPrefix(value, "'"); ok {
			value, rest, _ = strings.Cut(quoted+" "+rest, "' ")
		}
		t.Setenv(name, value)
		line = rest
	}
}

// A start on addresses or a store that are in use is refused with a command that starts.
func TestAddressInUseSuggestsACommand(t *testing.T) {
	const free = "127.0.0.1:0"
	taken, store := occupied(t), occupiedStore(t)
	for name, tt := range map[string]struct {
		webhooks, admin, nats, store string
		names, changes               string
	}{
		"webhook listener": {taken, free, free, "", "BRIDGE_LISTEN", "LISTEN"},
		"admin listener":   {free, taken, free, "", "BRIDGE_ADMIN_LISTEN", "ADMIN_LISTEN"},
		"NATS listener":    {free, free, taken, "", "BRIDGE_NATS_LISTEN", "NATS_LISTEN"},
		"store":            {free, free, free, store, "BRIDGE_STORE_DIR", "STORE_DIR"},
		"everything":       {taken, occupied(t), occupied(t), store, "BRIDGE_LISTEN", "LISTEN ADMIN_LISTEN NATS_LISTEN STORE_DIR"},
		"no NATS listener": {taken, free, "", "", "BRIDGE_LISTEN", "LISTEN"},
	} {
		t.Run(name, func(t *testing.T) {
			before := map[string]string{"LISTEN": tt.webhooks, "ADMIN_LISTEN": tt.admin, "NATS_LISTEN": tt.nats, "STORE_DIR": tt.store}
			if tt.store == "" {
				before["STORE_DIR"] = t.TempDir()
			}
			for setting, value := range before {
				t.Setenv("BRIDGE_"+setting, value)
			}
			_, errs, code := runCommand(t, "run")
			message, line, _ := strings.Cut(strings.TrimSpace(errs), "type:\n  ")
			if code != exitFailed || !strings.Contains(message, tt.names+": ") || !strings.Contains(message, "in use") {
				t.Errorf("exit code %d: %s", code, errs)
			}
			for setting := range before { // as in a shell in which they were set for one command only
				if err := os.Unsetenv("BRIDGE_" + setting); err != nil {
					t.Fatal(err)
				}
			}
			if rest := typed(t, line); rest != invocation()+" run" {
				t.Fatalf("the command ends with %q: %s", rest, errs)
			}
			for setting, value := range before {
				if is := os.Getenv("BRIDGE_" + setting); (is != value) != strings.Contains(" "+tt.changes+" ", " "+setting+" ") {
					t.Errorf("%s is %q instead of %q: %s", setting, is, value, line)
				}
			}
			conf, err := loadConfig()
			if err != nil {
				t.Fatal(err)
			}
			l, b, err := listenAndOpen(t.Context(), conf, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			b.close()
			l.close()
		})
	}
}

// Two listeners of one bridge on the same address are in each other's way.
func TestSameAddressTwiceSuggestsACommand(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BRIDGE_LISTEN", addr)
	t.Setenv("BRIDGE_ADMIN_LISTEN", addr)
	_, errs, code := runCommand(t, "run")
	if code != exitFailed || strings.Count(errs, "="+addr) != 1 || !strings.Contains(errs, "\n  BRIDGE_LISTEN="+addr+" BRIDGE_ADMIN_LISTEN=127.0.0.1:") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestFakeOnAnAddressInUseSuggestsACommand(t *testing.T) {
	_, errs, code := runCommand(t, "mkio-fake", "--listen", occupied(t))
	_, addr, ok := strings.Cut(strings.TrimSpace(errs), "type:\n  "+invocation()+" mkio-fake --listen ")
	if code != exitFailed || !ok {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
