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

// A levelShown is the answer of /v1/log-level.
type levelShown struct {
	Level string     `json:"level"`
	Until *time.Time `json:"until,omitempty"` // when it is the initial one again; nil: when somebody changes it
}

// A levelWanted is what a PUT of /v1/log-level asks for.
type levelWanted struct {
	Level slog.Level
	For   time.Duration // 0: until it is changed again
}

// maxLevelBody is the largest body of such a PUT, in bytes.
const maxLevelBody = 1 << 10

func (a *API) getLogLevel(w http.ResponseWriter, _ *http.Request) { a.showLogLevel(w) }

// setLogLevel changes the log level of this process. It changes nothing else, and a restart undoes it.
func (a *API) setLogLevel(w http.ResponseWriter, r *http.Request) {
	wanted, err := levelWantedOf(http.MaxBytesReader(w, r.Body, maxLevelBody))
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	a.c.Log.Info("the log level changes", "to", wanted.Level.String(), "lasts", wanted.For)
	a.c.LogLevel.set(wanted.Level, wanted.For, func() {
		a.c.Log.Info("the log level is as at the start again", "now", a.c.LogLevel.String())
	})
	a.showLogLevel(w)
}

func (a *API) showLogLevel(w http.ResponseWriter) {
	writeJSON(w, a.c.LogLevel.shown())
}

// levelWantedOf reads {"level": "debug", "for": "10m"}. An unknown field is an error: a misspelt "for" would leave debug on
// for ever.
func levelWantedOf(body io.Reader) (wanted levelWanted, err error) {
	var given struct {
		Level *slog.Level
		For   *string
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return wanted, fmt.Errorf(`send {"level": "debug", "for": "10m"}: %w`, err)
	}
	if given.Level == nil {
		return wanted, errors.New("level is missing: say debug, info, warn or error")
	}
	wanted.Level = *given.Level
	if given.For == nil {
		return wanted, nil
	}
	if wanted.For, err = time.ParseDuration(*given.For); err != nil || wanted.For <= 0 {
		return wanted, fmt.Errorf("for %q is no time above zero, such as 10m", *given.For)
	}
	return wanted, nil
}
