package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"mkio-bridge/schemas"
)

func runConfig(_ context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		return err
	}
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	return printConfig(c.stdout, conf)
}

func runSchema(_ context.Context, c *call) error {
	arguments, err := c.parse(c.flags(), 1)
	if err != nil {
		return err
	}
	if len(arguments) == 0 {
		_, err := fmt.Fprintln(c.stdout, strings.Join(schemas.Names(), "\n"))
		return err
	}
	document, err := schemas.Read(arguments[0])
	if err != nil {
		return usageError{fmt.Errorf("there is no schema %q; there are %s", arguments[0], strings.Join(schemas.Names(), ", "))}
	}
	_, err = c.stdout.Write(document)
	return err
}

// stamped is the version that the build was given; see version.
var stamped string

// version is the build's version, or what the Go toolchain knows of it.
func version() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

func runVersion(_ context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		return err
	}
	words := []string{"bridge", version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		words = append(words, info.GoVersion)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.time" {
				words = append(words, s.Value)
			}
		}
	}
	_, err := fmt.Fprintln(c.stdout, strings.Join(words, " "))
	return err
}

// probeTime is how long a health check waits.
const probeTime = 3 * time.Second

func runHealthcheck(ctx context.Context, c *call) error {
	if _, err := c.parse(c.flags(), 0); err != nil {
		return err
	}
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(conf.AdminListen)+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
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
