package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// A sender posts the deliveries of simulated jobs. Its first fields are set before run.
type sender struct {
	url, secretFile, project string
	workers                  int
	every                    time.Duration // between two deliveries of a worker
	patience                 time.Duration // timeout of one delivery, retries included
	pause                    time.Duration // between two attempts

	mu           sync.Mutex
	acknowledged *os.File       // one [change] per line
	statuses     map[string]int // number of attempts by response status; "none": no response
}

const (
	openJobs    = 5   // concurrent jobs of a worker
	repeat      = 0.2 // probability that an acknowledged delivery is repeated
	attemptTime = 5 * time.Second
)

// run posts deliveries until the context ends and every started delivery is acknowledged. It appends acknowledged changes to
// the file at path.
func (s *sender) run(ctx context.Context, path string) (err error) {
	if s.url == "" || s.project == "" || path == "" {
		return errors.New("missing flag: --url, --project and --acknowledged are required")
	}
	if s.acknowledged, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.acknowledged.Close()) }()
	s.statuses = map[string]int{}
	var working sync.WaitGroup
	failed := make([]error, s.workers)
	for i := range s.workers {
		working.Go(func() { failed[i] = s.work(ctx, i) })
	}
	working.Wait()
	fmt.Printf("responses: %v\n", s.statuses)
	return errors.Join(failed...)
}

// work is one worker: it repeatedly moves a random one of its jobs to the next state.
func (s *sender) work(ctx context.Context, worker int) error {
	transport := &http.Transport{DisableKeepAlives: worker%2 == 0, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: attemptTime}
	jobs := make([]*job, openJobs)
	created := 0
	for ctx.Err() == nil {
		i := rand.IntN(openJobs)
		if jobs[i] == nil || jobs[i].done() {
			created++
			jobs[i] = &job{project: s.project, name: fmt.Sprintf("w%d-%d", worker, created), created: time.Now()}
		}
		c, body, err := jobs[i].next(time.Now())
		if err != nil {
			return err
		}
		if err := s.deliver(client, c, body); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.every):
		}
	}
	return nil
}

// deliver retries a delivery until it is acknowledged, and records the change.
func (s *sender) deliver(client *http.Client, c change, body []byte) error {
	deadline := time.Now().Add(s.patience)
	for {
		status, err := s.attempt(client, body)
		if err != nil {
			return err
		}
		if strings.HasPrefix(status, "2") {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s %s was not acknowledged within %s: %s", c.Job, c.State, s.patience, status)
		}
		time.Sleep(s.pause)
	}
	if rand.Float64() < repeat {
		if _, err := s.attempt(client, body); err != nil {
			return err
		}
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.acknowledged.Write(append(line, '\n'))
	return err
}

// attempt posts a delivery once and returns the response's status, or "none" without a response. Errors are local, such as
// an unreadable secret.
func (s *sender) attempt(client *http.Client, body []byte) (status string, err error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if s.secretFile != "" {
		secret, err := os.ReadFile(s.secretFile)
		if err != nil {
			return "", err
		}
		request.Header.Set("X-Webhook-Secret", strings.TrimSpace(string(secret)))
	}
	status = "none"
	if response, err := client.Do(request); err == nil {
		_, _ = io.Copy(io.Discard, response.Body) // for keep-alive
		_ = response.Body.Close()
		status = response.Status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	return status, nil
}
