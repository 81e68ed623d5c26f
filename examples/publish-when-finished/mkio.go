package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is how much of a response is read; records are a few kilobytes.
const maxAnswer = 1 << 20

// A client sends requests to MK.IO's media API.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(base, token string) client {
	return client{strings.TrimRight(base, "/"), token, &http.Client{Timeout: 30 * time.Second}}
}

// tries is how often a request is sent that MK.IO refuses for now (429, 5xx). After that the whole event is tried again later.
const tries = 3

// do sends a request for a resource of a project. body and answer are JSON; nil: none. Its errors do not contain the token.
func (c client) do(ctx context.Context, method, project string, path []string, body, answer any) error {
	for n := 1; ; n++ {
		err := c.try(ctx, method, project, path, body, answer)
		failure, ok := errors.AsType[*apiError](err)
		if !ok || !failure.temporary() || n == tries || !pause(ctx, max(failure.retryAfter, time.Duration(n)*time.Second)) {
			return err
		}
	}
}

// try sends a request once.
func (c client) try(ctx context.Context, method, project string, path []string, body, answer any) error {
	segments := []string{c.base, "api/v1/projects", url.PathEscape(project), "media"}
	for _, segment := range path {
		segments = append(segments, url.PathEscape(segment)) // a name may contain anything, even a slash
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.Join(segments, "/"), content) //nolint:gosec // the operator chooses the address
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request) //nolint:gosec // the operator chooses the address
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode/100 != 2 {
		return newAPIError(method, strings.Join(path, "/"), response, read)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(read, answer)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, strings.Join(path, "/"), err)
	}
	return nil
}

// An apiError is a response of MK.IO that is no success.
type apiError struct {
	request    string
	status     int
	detail     string
	retryAfter time.Duration // 0: MK.IO does not say
}

func newAPIError(method, path string, response *http.Response, body []byte) *apiError {
	var standard struct{ Error struct{ Detail string } }
	_ = json.Unmarshal(body, &standard) // a gateway may respond in HTML
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &apiError{method + " " + path, response.StatusCode, standard.Error.Detail, time.Duration(seconds) * time.Second}
}

// temporary reports whether the same request may succeed in a moment.
func (e *apiError) temporary() bool {
	return e.status == http.StatusTooManyRequests || e.status >= http.StatusInternalServerError
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: MK.IO responded %d %s", e.request, e.status, e.detail)
}

// hasStatus reports whether an error is a response with one of these statuses.
func hasStatus(err error, statuses ...int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && slices.Contains(statuses, e.status)
}
