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

// probeTime is how long a health check waits.
const probeTime = 3 * time.Second

func runHealthcheck(ctx context.Context, c *call) error {
	var address string
	var status int
	set := c.flags()
	set.StringVar(&address, "url", "", "address to ask instead, of a bridge elsewhere; settings do not matter then")
	set.IntVar(&status, "status", http.StatusOK, "the status that is well")
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
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usageError{err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		detail, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what can be read of it
		return fmt.Errorf("not ready: %s %s", response.Status, strings.TrimSpace(string(detail)))
	}
	_, err = fmt.Fprintln(c.stdout, "ready")
	return err
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
