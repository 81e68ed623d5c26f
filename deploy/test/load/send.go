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

// A sender delivers what jobs go through. Its fields are set before run.
type sender struct {
	url, secretFile, project string
	workers                  int
	every                    time.Duration // between two deliveries of a worker
	patience                 time.Duration // with one delivery
	pause                    time.Duration // between two attempts

	mu       sync.Mutex
	told     *os.File
	statuses map[string]int // answers, and attempts that had none, by what they were
}

const (
	openJobs    = 5   // of a worker at a time
	again       = 0.2 // chance that a delivery comes once more
	attemptTime = 5 * time.Second
)

// run delivers until the context ends and every delivery it has begun is acknowledged.
func (s *sender) run(ctx context.Context, told string) (err error) {
	if s.url == "" || s.project == "" || told == "" {
		return errors.New("say --url, --project and --told")
	}
	if s.told, err = os.OpenFile(told, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.told.Close()) }()
	s.statuses = map[string]int{}
	var working sync.WaitGroup
	failed := make([]error, s.workers)
	for i := range s.workers {
		working.Go(func() { failed[i] = s.work(ctx, i) })
	}
	working.Wait()
	fmt.Printf("answers: %v\n", s.statuses)
	return errors.Join(failed...)
}

// work is one worker: it takes one of its jobs at a time a state further.
func (s *sender) work(ctx context.Context, worker int) error {
	transport := &http.Transport{DisableKeepAlives: worker%2 == 0, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: attemptTime}
	jobs := make([]*job, openJobs)
	made := 0
	for ctx.Err() == nil {
		i := rand.IntN(openJobs)
		if jobs[i] == nil || jobs[i].done() {
			made++
			jobs[i] = &job{project: s.project, name: fmt.Sprintf("w%d-%d", worker, made), created: time.Now()}
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

// deliver repeats a delivery until it is acknowledged, and notes that.
func (s *sender) deliver(client *http.Client, c change, body []byte) error {
	deadline := time.Now().Add(s.patience)
	for {
		answer, err := s.attempt(client, body)
		if err != nil {
			return err
		}
		if strings.HasPrefix(answer, "2") {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s %s was not acknowledged within %s: %s", c.Job, c.State, s.patience, answer)
		}
		time.Sleep(s.pause)
	}
	if rand.Float64() < again {
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
	_, err = s.told.Write(append(line, '\n'))
	return err
}

// attempt makes a delivery once, and returns the status of the answer, or that there was none. What is wrong on this side
// alone is an error.
func (s *sender) attempt(client *http.Client, body []byte) (answer string, err error) {
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
	answer = "none"
	if response, err := client.Do(request); err == nil {
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
		_ = response.Body.Close()
		answer = response.Status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[answer]++
	return answer, nil
}
