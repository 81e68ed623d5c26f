package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

func TestMkioFakeServesUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"mkio-fake", "--listen", "127.0.0.1:0", "--polite", "--token", "x"}, io.Discard, stderr)
		stderr.Close()
	}()
	lines := bufio.NewScanner(log)
	lines.Scan()
	var line struct{ Msg, Addr string }
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Msg != "listening" {
		t.Fatalf("%s: %v", lines.Bytes(), err)
	}
	go func() {
		for lines.Scan() {
		}
	}()
	for token, want := range map[string]int{"x": http.StatusOK, "y": http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+line.Addr+"/api/v1/projects/aurora-vod/media/jobs", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d, want %d", response.StatusCode, want)
		}
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
}
