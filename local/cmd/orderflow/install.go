package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"example.com/orderflow/local/servers"
)

// need is a program that must be on the machine.
type need struct {
	what     string
	packages []string // Debian packages that have it
	find     func() (string, error)
}

// needs lists what the system needs, and the extra tools that the caller asks for.
func needs(extra []string) ([]need, error) {
	all := []need{
		{"PostgreSQL", []string{"postgresql"}, func() (string, error) { return servers.FindPostgres("") }},
		{"RabbitMQ", []string{"rabbitmq-server"}, servers.FindRabbitMQ},
	}
	for _, name := range extra {
		if name != "gcc" {
			return nil, fmt.Errorf("no way is known to install %q", name)
		}
		all = append(all, need{"a C compiler (for go test -race)", []string{"gcc", "libc6-dev"}, func() (string, error) { return exec.LookPath("gcc") }})
	}
	return all, nil
}

// doctor prints what is there and what is missing.
func doctor(extra []string) error {
	all, err := needs(extra)
	if err != nil {
		return err
	}
	for _, n := range all {
		if path, err := n.find(); err == nil {
			fmt.Printf("%s: %s\n", n.what, path)
		} else {
			fmt.Printf("%s: missing\n", n.what)
		}
	}
	if packages := missing(all); len(packages) > 0 {
		fmt.Printf("to install what is missing: %s\n", servers.InstallCommand(packages...))
		return exitCode(1)
	}
	return nil
}

func missing(all []need) []string {
	var packages []string
	for _, n := range all {
		if _, err := n.find(); err != nil {
			packages = append(packages, n.packages...)
		}
	}
	return packages
}

// script installs Debian packages. Their services would start on all interfaces, and would fail the installation when their
// ports are taken: they are kept from starting during the installation.
const script = `set -e
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get -o DPkg::Lock::Timeout=300 update || echo 'going on with the package lists of before'
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
`

// install installs what is missing if it can do so without a password, and otherwise prints how.
func install(ctx context.Context, extra []string) error {
	all, err := needs(extra)
	if err != nil {
		return err
	}
	packages := missing(all)
	if len(packages) == 0 {
		return nil
	}
	byHand := fmt.Errorf("%s: not installed; to install: %s", strings.Join(packages, ", "), servers.InstallCommand(packages...))
	if _, err := exec.LookPath("apt-get"); err != nil {
		return byHand
	}
	call := slices.Concat([]string{"sh", "-c", script, "install"}, packages)
	if os.Geteuid() != 0 {
		if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
			return byHand
		}
		call = slices.Concat([]string{"sudo", "-n"}, call)
	}
	fmt.Println("installing", strings.Join(packages, ", "), "with apt-get, which takes a minute")
	if output, err := exec.CommandContext(ctx, call[0], call[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w\n%s", strings.Join(packages, ", "), err, output)
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		fmt.Println("the packages bring services of their own, which Orderflow does not use; to keep them from starting at the next boot:")
		fmt.Println("  systemctl disable postgresql rabbitmq-server")
	}
	if left := missing(all); len(left) > 0 {
		return fmt.Errorf("installed, but still not found: %s", strings.Join(left, ", "))
	}
	return nil
}
