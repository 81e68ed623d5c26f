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

// An APIError is a response of MK.IO's API with a status other than 2xx.
type APIError struct {
	Method, Path string
	Status       int
	Code, Detail string // as MK.IO words them, redacted
	Ref          string // MK.IO's reference of the request, for its support
	// Genuine reports whether the body is MK.IO's own error document, and not that of a gateway in front of it.
	Genuine    bool
	RetryAfter time.Duration // 0: no Retry-After
	AsOf       AsOf          // when the error was current: caches store errors too
}

// AsOfError returns the AsOf of the response behind an error; zero if there was no response.
func AsOfError(err error) AsOf {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.AsOf
	}
	return AsOf{}
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

// StatusOf returns the status of the response behind an error; 0 if there was no response.
func StatusOf(err error) int {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.Status
	}
	return 0
}

// IsNotFound reports whether MK.IO itself, and not a gateway in front of it, responded 404.
func IsNotFound(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Status == http.StatusNotFound && api.Genuine
}

// maxDetail is how many bytes of an error's texts are logged.
const maxDetail = 300

// newAPIError reads MK.IO's error document, whose error is an object or, in older responses, a string; or a gateway's page.
func newAPIError(method, path string, status int, header http.Header, body []byte) *APIError {
	e := &APIError{Method: method, Path: path, Status: status, RetryAfter: retryAfter(header)}
	root, err := parse(body)
	object := root.object()
	if err != nil || object == nil {
		e.Detail = "the response is not JSON"
		return e
	}
	e.Ref, _ = plainText(object.at("ref"))
	e.Genuine = !object.at("error").isNull()
	if errorObject := object.at("error").object(); errorObject != nil {
		e.Code, _ = plainText(errorObject.at("code"))
		e.Detail, _ = longText(errorObject.at("detail"))
	} else {
		e.Detail, _ = longText(object.at("error"))
	}
	var bodyStatus int
	if json.Unmarshal(object.at("status"), &bodyStatus) == nil && bodyStatus != 0 && bodyStatus != status {
		e.Genuine = false // the document is of another response
	}
	e.Code, e.Detail, e.Ref = oneLine(e.Code), oneLine(e.Detail), oneLine(e.Ref)
	return e
}

// oneLine removes line breaks and other control characters, so that MK.IO's text cannot forge log lines.
func oneLine(s string) string {
	return cut(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " "), maxDetail)
}

// maxRetryAfter is the longest Retry-After that is respected.
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
