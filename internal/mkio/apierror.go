package mkio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An APIError is an answer of MK.IO's API that is no success.
type APIError struct {
	Method, Path string
	Status       int
	Code, Detail string // as MK.IO words them, redacted
	Ref          string // MK.IO's reference of the request
	// Genuine is for an answer in MK.IO's own form. A gateway in front of it answers in others.
	Genuine    bool
	RetryAfter time.Duration // 0 where the answer does not say
	Moment     Moment        // when MK.IO knew no better: a cache keeps such answers as well
}

// MomentOf returns the moment of the answer that an error stands for; zero where there was no answer.
func MomentOf(err error) Moment {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Moment
	}
	return Moment{}
}

func (e *APIError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Code+e.Detail != "" {
		text += ": " + strings.TrimPrefix(e.Code+": "+e.Detail, ": ")
	}
	if e.Ref != "" {
		text += " (MK.IO's ref " + e.Ref + ")"
	}
	return text
}

// StatusOf returns the status of the answer that an error stands for; 0 where there was no answer.
func StatusOf(err error) int {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Status
	}
	return 0
}

// IsNotFound says whether MK.IO itself, and no gateway in front of it, knows nothing under an address.
func IsNotFound(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Status == http.StatusNotFound && api.Genuine
}

// maxDetail bounds what of an error is repeated, in bytes.
const maxDetail = 300

// newAPIError reads an error in MK.IO's form, with a string for an error as older answers have, or in a
// gateway's.
func newAPIError(method, path string, status int, header http.Header, body []byte) *APIError {
	e := &APIError{Method: method, Path: path, Status: status, RetryAfter: retryAfter(header)}
	whole, err := parse(body)
	top := whole.object()
	if err != nil || top == nil {
		e.Detail = "the answer is not JSON"
		return e
	}
	e.Ref, _ = plainText(top.at("ref"))
	e.Genuine = !top.at("error").null()
	if inner := top.at("error").object(); inner != nil {
		e.Code, _ = plainText(inner.at("code"))
		e.Detail, _ = longText(inner.at("detail"))
	} else {
		e.Detail, _ = longText(top.at("error"))
	}
	var claimed int
	if json.Unmarshal(top.at("status"), &claimed) == nil && claimed != 0 && claimed != status {
		e.Genuine = false // it speaks of another answer
	}
	e.Code, e.Detail, e.Ref = oneLine(e.Code), oneLine(e.Detail), oneLine(e.Ref)
	return e
}

// oneLine keeps what MK.IO says from breaking out of a log line.
func oneLine(s string) string {
	return cut(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " "), maxDetail)
}

// maxRetryAfter bounds what an answer may ask for.
const maxRetryAfter = 5 * time.Minute

func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(from)), maxRetryAfter)
}
