//go:build e2e

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// promtool runs the promtool that the variable PROMTOOL names; deploy/prometheus/check.sh sets it.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	program := os.Getenv("PROMTOOL")
	if program == "" {
		t.Skip("PROMTOOL is not set: run deploy/prometheus/check.sh")
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdin = stdin
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolParsesEveryExpression(t *testing.T) {
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	variables := strings.NewReplacer("$__rate_interval", "5m")
	var rules []rule
	for _, expr := range expressions(t) {
		rules = append(rules, rule{"e" + strconv.Itoa(len(rules)), variables.Replace(expr)})
	}
	content, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "all", "rules": rules}}}) // JSON is valid YAML
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", "--lint=all", "--lint-fatal", file)
}

func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	metrics := serveRequest(openForTest(t).adminRoutes(true), http.MethodGet, "/metrics", nil).Body
	promtool(t, metrics, "check", "metrics")
}
