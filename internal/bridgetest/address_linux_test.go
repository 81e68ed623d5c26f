package bridgetest

import (
	"fmt"
	"net"
	"testing"
)

func listenOn(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAddressCanBeReused(t *testing.T) {
	address := FreeAddress(t)
	for range 2 {
		if err := listenOn(t, address).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOutgoingConnectionsUseNoReservedAddress(t *testing.T) {
	address := FreeAddress(t)
	l := listenOn(t, address)
	defer l.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if from := conn.LocalAddr().(*net.TCPAddr); !from.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("a connection to %s comes from %s", address, from)
	}
}

func TestAddressesAreReserved(t *testing.T) {
	a, err := NewAddresses()
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf(":%d", a.port)
	if l, err := net.Listen("tcp", all); err == nil {
		l.Close()
		t.Errorf("the port is not reserved on all addresses")
	}
	if l, err := net.Listen("tcp", a.address(1)); err == nil {
		l.Close()
		t.Errorf("the network can be reserved twice")
	}
	first, err := a.Next()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{first: true}
	for range 252 {
		next, err := a.Next()
		if err != nil || used[next] {
			t.Fatalf("%s is returned twice, or %v", next, err)
		}
		used[next] = true
	}
	if next, err := a.Next(); err == nil {
		t.Errorf("an exhausted network returns %s", next)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := listenOn(t, all).Close(); err != nil {
		t.Errorf("the port is still reserved: %v", err)
	}
}
