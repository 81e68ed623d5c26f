package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Times of a health check.
const (
	probeTimeout  = 3 * time.Second        // of one request
	probeInterval = 500 * time.Millisecond // between two requests, with --wait
)

func healthcheckCommand(c *call) *cobra.Command {
	var address string
	var status int
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "healthcheck",
		Short:   "probe /readyz of a bridge on this machine",
		Example: "  mkio-bridge healthcheck --wait 30s\n  mkio-bridge healthcheck --url https://bridge.example.com/readyz",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runHealthcheck(cmd.Context(), c, address, status, wait)
		},
	}
	set := cmd.Flags()
	set.StringVar(&address, "url", "", "`URL` to probe, e.g. of a remote bridge, instead of this machine's /readyz; settings are ignored then")
	set.IntVar(&status, "status", http.StatusOK, "the expected HTTP `STATUS`")
	set.DurationVar(&wait, "wait", 0, "how long to retry until the response has the expected status")
	return cmd
}

func runHealthcheck(ctx context.Context, c *call, address string, status int, wait time.Duration) error {
	if address == "" {
		conf, err := loadConfig()
		if err != nil {
			return usageError{err}
		}
		address = "http://" + dialAddress(conf.AdminListen) + "/readyz"
	}
	if service, ok := strings.CutPrefix(address, "tcp://"); ok { // the form of Kubernetes' variables for a Service
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

// probeFor repeats a request until its response has the status, or the time is over.
func probeFor(request *http.Request, status int, wait time.Duration) error {
	for end := time.Now().Add(wait); ; {
		err := probe(request, status)
		if err == nil || time.Until(end) < probeInterval {
			return err
		}
		select {
		case <-time.After(probeInterval):
		case <-request.Context().Done():
			return err
		}
	}
}

// probe sends the request once, and returns an error unless the response has the status.
func probe(request *http.Request, status int) error {
	ctx, cancel := context.WithTimeout(request.Context(), probeTimeout)
	defer cancel()
	client := http.Client{} // the default one is limited for the senders of notify
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		detail, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // partial on an error
		return fmt.Errorf("not ready: %s %s", response.Status, strings.TrimSpace(string(detail)))
	}
	return nil
}

// dialAddress turns a listen address into one that can be dialed.
func dialAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
