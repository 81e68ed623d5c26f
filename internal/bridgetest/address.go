package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Addresses hands out addresses on which a process can listen, end, and listen again, as long as the Addresses are open. No
// other process gets one of them meanwhile.
//
// A port that was found free and closed again is not reserved: the system may give it to any process that binds port 0, or to
// an outgoing connection. So each Addresses uses its own network, 127.x.y.0/24, and one port:
//
//   - All of 127.0.0.0/8 is the local machine on Linux. A process that binds "127.0.0.1:0", or connects to a local address, gets
//     127.0.0.1 and never an address of that network.
//   - The port is below the ephemeral range (32768 and up, unless net.ipv4.ip_local_port_range says otherwise), so that the
//     system does not choose it for a listener on all addresses or for a connection.
//   - A listener on 127.x.y.1 with that port reserves the network against other Addresses, of this process and of others, and
//     the port against listeners on all addresses.
type Addresses struct {
	reservation net.Listener
	network     [2]int
	port        int

	mu   sync.Mutex
	last int
}

// Ports of Addresses: more than a machine uses, and below the ephemeral range.
const (
	lowestPort  = 20000
	highestPort = 30000
)

// NewAddresses reserves a network of addresses.
func NewAddresses() (*Addresses, error) {
	var err error
	for range 100 {
		a := &Addresses{
			network: [2]int{1 + rand.IntN(254), rand.IntN(256)}, // not 127.0.y.0, which other programs use
			port:    lowestPort + rand.IntN(highestPort-lowestPort),
			last:    1,
		}
		if a.reservation, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", a.address(1)); err == nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("reserve a network of loopback addresses: %w", err)
}

func (a *Addresses) address(host int) string {
	return fmt.Sprintf("127.%d.%d.%d:%d", a.network[0], a.network[1], host, a.port)
}

// Next returns a host:port that was not returned before.
func (a *Addresses) Next() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == 254 {
		return "", errors.New("all addresses of the network are used")
	}
	a.last++
	return a.address(a.last), nil
}

// Close releases the network. Listeners on its addresses must be closed before.
func (a *Addresses) Close() error { return a.reservation.Close() }

// FreeAddress returns a host:port that is free, and reserved until the test ends.
func FreeAddress(t testing.TB) string {
	t.Helper()
	addresses, err := NewAddresses()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = addresses.Close() })
	address, err := addresses.Next()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
