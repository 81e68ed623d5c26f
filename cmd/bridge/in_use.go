package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"mkio-bridge/internal/broker"
)

// suggestCommand adds to the error of a start the command that starts the bridge beside the process that uses one of its
// addresses or its store. Other errors are returned unchanged.
func (c config) suggestCommand(ctx context.Context, err error) error {
	if !addressInUse(err) && !errors.Is(err, broker.ErrInUse) {
		return err
	}
	return fmt.Errorf("%w. To start beside the process that uses it, type:\n  %s", err, c.freeCommand(ctx))
}

// freeCommand returns a command line that runs the bridge on free addresses and a store of its own. It replaces everything
// that is in use at once, because the usual cause is another bridge with the same settings. Settings that differ from their
// defaults are repeated, as they may have been set for one command only.
func (c config) freeCommand(ctx context.Context) string {
	defaults := map[string]string{}
	for _, v := range manual() {
		defaults[v.name] = v.defaultValue
	}
	var words []string
	assign := func(name, value string) {
		if value != defaults[name] {
			words = append(words, name+"="+shellWord(value))
		}
	}
	var taken []string
	for _, listener := range c.listenAddresses() {
		addr := listener.addr
		if addr != "" {
			addr = freeAddress(ctx, addr, taken)
			taken = append(taken, addr)
		}
		assign(listener.setting, addr)
	}
	if c.NatsURL == "" {
		assign("BRIDGE_STORE_DIR", freeStore(c.StoreDir))
	}
	return strings.Join(append(words, invocation(), "run"), " ")
}

// A listenAddress is the address of a listener, and its setting.
type listenAddress struct{ setting, addr string }

// listenAddresses returns the addresses of all listeners; "" where there is none.
func (c config) listenAddresses() []listenAddress {
	all := []listenAddress{{"BRIDGE_LISTEN", c.Listen}, {"BRIDGE_ADMIN_LISTEN", c.AdminListen}}
	if c.NatsURL == "" {
		all = append(all, listenAddress{"BRIDGE_NATS_LISTEN", c.NatsListen})
	}
	return all
}

// Ports that are tried when a port is in use: 8180, 8280, … instead of 8080.
const (
	portStep     = 100
	portAttempts = 10
)

// freeAddress returns an address if it is free, else one of the same host with a free port. Taken addresses are not free.
func freeAddress(ctx context.Context, addr string, taken []string) string {
	if canListen(ctx, addr, taken) {
		return addr
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if port, err := strconv.Atoi(service); err == nil {
		for i := range portAttempts {
			next := net.JoinHostPort(host, strconv.Itoa(port+(i+1)*portStep))
			if canListen(ctx, next, taken) {
				return next
			}
		}
	}
	return net.JoinHostPort(host, "0") // any free port
}

// canListen reports whether an address is free. Port 0 always is.
func canListen(ctx context.Context, addr string, taken []string) bool {
	for _, other := range taken {
		if other == addr && !strings.HasSuffix(addr, ":0") {
			return false
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = l.Close() // nobody has connected
	return true
}

// freeStore returns a store directory if no bridge uses it, else a similar name.
func freeStore(dir string) string {
	free := dir
	for i := 2; broker.StoreInUse(free); i++ {
		free = strings.TrimRight(dir, "/") + "-" + strconv.Itoa(i)
	}
	return free
}

// addressInUse reports whether a listener could not be opened because another one has its address.
func addressInUse(err error) bool {
	const windowsAddressInUse = syscall.Errno(10048) // syscall's own name is not what Windows returns
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsAddressInUse)
}
