package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Times of a health check.
const (
	probeTime  = 3 * time.Second        // for one answer
	probeAgain = 500 * time.Millisecond // until the next question, where it is to wait
)

func runHealthcheck(ctx context.Context, c *call) error {
	var address string
	var status int
	var wait time.Duration
	set := c.flags()
	set.StringVar(&address, "url", "", "address to ask instead, of a bridge elsewhere; settings do not matter then")
	set.IntVar(&status, "status", http.StatusOK, "the status that is well")
	set.DurationVar(&wait, "wait", 0, "how long to ask again where the answer is another, or none")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if address == "" {
		conf, err := loadConfig()
		if err != nil {
			return usageError{err}
		}
		address = "http://" + reachable(conf.AdminListen) + "/readyz"
	}
	if service, ok := strings.CutPrefix(address, "tcp://"); ok { // as Kubernetes has the address of a Service in a variable
		address = "http://" + service
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usageError{err}
	}
	if err := probeFor(request, status, wait); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, "ready")
	return err
}

// probeFor asks until the answer is the right one, or the time is over.
func probeFor(request *http.Request, status int, wait time.Duration) error {
	for end := time.Now().Add(wait); ; {
		err := probe(request, status)
		if err == nil || time.Until(end) < probeAgain {
			return err
		}
		select {
		case <-time.After(probeAgain):
		case <-request.Context().Done():
			return err
		}
	}
}

// probe asks once.
func probe(request *http.Request, status int) error {
	ctx, cancel := context.WithTimeout(request.Context(), probeTime)
	defer cancel()
	response, err := http.DefaultClient.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		detail, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what can be read of it
		return fmt.Errorf("not ready: %s %s", response.Status, strings.TrimSpace(string(detail)))
	}
	return nil
}

// reachable turns an address to listen on into one to call.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
