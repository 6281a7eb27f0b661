package web

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// listen opens an address. For localhost it opens the loopback of IPv4 and that of IPv6, where the machine has both: a
// browser may try either first, and another server at the other address would answer it.
func listen(ctx context.Context, addr string) (open []net.Listener, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for _, host := range hosts {
		l, failed := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if failed != nil {
			err = errors.Join(err, failed)
			if len(hosts) > 1 && missing(failed) {
				continue
			}
			for _, l := range open {
				_ = l.Close() // it has served nothing yet
			}
			return nil, err
		}
		open = append(open, l)
		if a, ok := l.Addr().(*net.TCPAddr); ok { // use the same port at the next address when a free one was asked for
			port = strconv.Itoa(a.Port)
		}
	}
	if len(open) > 0 {
		err = nil
	}
	return open, err
}

// missing reports whether a machine lacks the address, or its whole address family.
func missing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)
}
