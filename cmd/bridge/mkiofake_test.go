package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

func TestMkioFakeServesUntilStopped(t *testing.T) {
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

// TestMkioFakeFaultFlags runs a simulation with every fault flag, and observes each fault.
func TestMkioFakeFaultFlags(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, stderr := io.Pipe()
	output, stdout := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"mkio-fake", "--listen", "127.0.0.1:0", "--polite", "--speed", "1000", "--other-origin", "--cache", "1m", "--replica", "2m",
			"--second-organization", "--after", "1s", "--set-clock", "-48h", "--recreate-project", "aurora-vod", "--outage", "100h",
		}, stdout, stderr)
		stderr.Close()
		stdout.Close()
	}()
	printed := bufio.NewScanner(output)
	printed.Scan()
	_, second, ok := strings.Cut(printed.Text(), "token of the second organisation: ")
	if !ok {
		t.Fatalf("the output begins with %q", printed.Text())
	}
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
	ask := func(token, path string) (*http.Response, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+line.Addr+"/api/v1/projects/aurora-vod"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	bridgetest.Eventually(t, "an outage", func() bool {
		response, _ := ask("any", "/media/jobs")
		return response.StatusCode == http.StatusNotFound
	})
	_, first := ask("any", "")
	response, other := ask(second, "")
	if response.StatusCode != http.StatusOK || first == other {
		t.Errorf("the second organisation's project is %s", other)
	}
	response, _ = ask("any", "/media/assets?now")
	if date, err := http.ParseTime(response.Header.Get("Date")); err != nil || time.Until(date) > -24*time.Hour {
		t.Errorf("the Date header is %s", response.Header.Get("Date"))
	}
	bridgetest.Eventually(t, "a copy, and a next link of another origin", func() bool {
		response, body := ask(second, "/media/assets?$top=1")
		return response.Header.Get("Age") != "" && strings.Contains(body, `"@odata.nextLink":"http`)
	})
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
}

func TestMkioFakeRefusesInvalidFlags(t *testing.T) {
	for _, flags := range [][]string{{"--recreate-project", "no-such"}, {"--cache", "-1s"}, {"--jobs", "0"}} {
		if code := run(t.Context(), append([]string{"mkio-fake"}, flags...), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("%v: exit %d", flags, code)
		}
	}
}
