package edge

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// A failed handshake is a warning, but not one for each stranger. A port probe causes none.
func TestTLSFailureWarningsAreRateLimited(t *testing.T) {
	var log bridgetest.Buffer
	l := NewListener(nil, Config{Slots: 1, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, err := range []error{io.EOF, os.ErrDeadlineExceeded, errors.New("bad certificate"), errors.New("another")} {
		l.tlsFailed(&net.TCPAddr{}, fmt.Errorf("handshake: %w", err))
	}
	var levels []string
	for line := range strings.Lines(log.String()) {
		levels = append(levels, bridgetest.ParseLine(strings.TrimSpace(line))["level"].(string))
	}
	if got := strings.Join(levels, " "); got != "DEBUG DEBUG WARN DEBUG" {
		t.Errorf("levels %s", got)
	}
}
