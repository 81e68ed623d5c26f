package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"mkio-bridge/internal/problem"
)

// A levelView is the response of /v1/log-level.
type levelView struct {
	Level string     `json:"level"`
	Until *time.Time `json:"until,omitempty"` // when the initial level returns; nil: not by itself
}

// A levelChange is the body of PUT /v1/log-level.
type levelChange struct {
	Level slog.Level
	For   time.Duration // 0: until the next change
}

// maxLevelBody is the maximum size of this body, in bytes.
const maxLevelBody = 1 << 10

func (a *API) getLogLevel(w http.ResponseWriter, _ *http.Request) { a.writeLogLevel(w) }

// setLogLevel changes the log level of this process until a restart.
func (a *API) setLogLevel(w http.ResponseWriter, r *http.Request) {
	change, err := parseLevelChange(http.MaxBytesReader(w, r.Body, maxLevelBody))
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	a.c.Log.Info("log level changed", "to", change.Level.String(), "lasts", change.For)
	a.c.LogLevel.set(change.Level, change.For, func() {
		a.c.Log.Info("log level reverted", "now", a.c.LogLevel.String())
	})
	a.writeLogLevel(w)
}

func (a *API) writeLogLevel(w http.ResponseWriter) {
	writeJSON(w, a.c.LogLevel.view())
}

// parseLevelChange reads {"level": "debug", "for": "10m"}. An unknown field is an error: a misspelt "for" would leave the
// level at debug forever.
func parseLevelChange(body io.Reader) (change levelChange, err error) {
	var given struct {
		Level *slog.Level
		For   *string
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return change, fmt.Errorf(`send {"level": "debug", "for": "10m"}: %w`, err)
	}
	if given.Level == nil {
		return change, errors.New("level is missing: use debug, info, warn or error")
	}
	change.Level = *given.Level
	if given.For == nil {
		return change, nil
	}
	if change.For, err = time.ParseDuration(*given.For); err != nil || change.For <= 0 {
		return change, fmt.Errorf("for %q must be a positive duration such as 10m", *given.For)
	}
	return change, nil
}
