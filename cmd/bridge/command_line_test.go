package main

import "testing"

func TestInvocation(t *testing.T) {
	for program, want := range map[string]string{
		"mkio-bridge":                               "mkio-bridge",
		"./mkio-bridge":                             "./mkio-bridge",
		"/opt/my bridge/mkio-bridge":                "'/opt/my bridge/mkio-bridge'",
		"/tmp/go-build3912/b001/exe/bridge":         "go run ./cmd/bridge",
		"/home/me/.cache/go-build/4f/4fe2-d/bridge": "go run ./cmd/bridge",
	} {
		if got := invocationOf(program); got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for value, want := range map[string]string{
		"127.0.0.1:8180": "127.0.0.1:8180", "./data-2": "./data-2", "": "",
		"[::1]:8180": "'[::1]:8180'", "my data": "'my data'", "it's": `'it'\''s'`,
	} {
		if got := shellWord(value); got != want {
			t.Errorf("%s is quoted as %s", value, got)
		}
	}
}
