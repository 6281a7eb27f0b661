package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// FreePort finds a free TCP port of 127.0.0.1. It is below the ports that kernels give to outgoing connections (Linux from
// 32768): otherwise, while a server is down for a moment, an outgoing connection could take its port, and a client that
// redials it could even connect to itself. It never returns a port twice, because the owner may not use it yet, or be down.
func FreePort() (int, error) {
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if _, again := found.LoadOrStore(port, true); !again && free(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free TCP port on 127.0.0.1 between 12000 and 32000")
}

// found are the ports that this process has already tried.
var found sync.Map

// Reserve finds a free port and holds it until Release, so that no other caller finds it meanwhile.
func Reserve(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	for {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		held, err := config.Listen(ctx, "tcp4", address(port))
		if !errors.Is(err, syscall.EADDRINUSE) { // another process was faster
			return held, err
		}
	}
}

// Release gives up a reserved port and returns when it can be used. Closing is not enough: a child that is just being started
// has a copy of the listener until it executes its program.
func Release(held net.Listener) error {
	port := Port(held)
	if err := held.Close(); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); !free(port); {
		if time.Now().After(deadline) {
			return fmt.Errorf("port %d stays taken", port)
		}
		<-time.After(time.Millisecond)
	}
	return nil
}

// free tries a port. No child can be started meanwhile, so that none inherits the socket.
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(socket) //nolint:errcheck // nothing was written to it
	// As servers do: lingering connections of the port's last owner do not count, a listener does.
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return false
	}
	return syscall.Bind(socket, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}) == nil
}

// Port is the port number of a TCP listener.
func Port(held net.Listener) int {
	if address, ok := held.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
