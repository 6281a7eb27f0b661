// Orderflow runs the whole system on this machine without containers, for a look (demo), for work (up, down) and for
// tests (exec).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

const usage = `usage: orderflow COMMAND

  demo [-once]     run the system, place orders that end in every possible way, and show how they fare
  up               run the system in the background; returns when it is ready
  down             end it; its data is kept
  clean            end it and remove its data: orders, accounts, logs
  run              run the system in the foreground
  status           what runs where
  logs [-f] NAME   what a part says; NAME is a program, a replica such as orders-2, postgres or rabbitmq
  stop NAME        stop a part of the system that runs
  start NAME       start it again
  tap [ORDER]      print each message that passes RabbitMQ, of one order if its id (or the end of it) is given
  trace ORDER      print the trace of an order as a tree, if the system was started with TRACES=1
  audit [-json] [-wait 30s] [-accepted FILE] [-dead IDS]
                   hold the books of the system that runs against each other; exit code 1 when they do not agree
  exec -- CMD …    run a command with a PostgreSQL and a RabbitMQ of its own (TEST_POSTGRES_URL, TEST_RABBITMQ_URL,
                   TEST_RABBITMQ_MANAGEMENT_URL)
  doctor [gcc]     what is needed on this machine, and what of it is missing
  install [gcc]    install what is missing
  rename PATH      give the modules of the checkout another path, as a fork wants it: github.com/acme/shop

settings, from the environment:
  ORDERFLOW_DIR    where data and logs are kept; default: .local at the root of the checkout
  GATEWAY_PORT     port of the gateway; default: 8080
  REPLICAS         how many of each service and of the BFF; default: 1
  TRACES           1: keep the traces of the programs in memory, and show them
  DATABASE_URL     a PostgreSQL that runs already, with a role that may create roles and databases
  RABBITMQ_URL     a RabbitMQ that runs already, with an administrator's account
  RABBITMQ_MANAGEMENT_URL  its management API; default: port 15672 of the same host
Whatever else is set (LOG_LEVEL, PROVIDER_ERROR_RATE, …) reaches the programs.
`

// exitCode is the error of a command that has already printed its message.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func run(args []string) int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), signals...)
	defer cancel()

	err := dispatch(ctx, args)
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "orderflow: %v\n", err)
		return 1
	}
	return 0
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Print(usage)
		return exitCode(2)
	}
	command, args := args[0], args[1:]
	switch command {
	case "doctor":
		return doctor(args)
	case "install":
		return install(ctx, args)
	case "exec":
		return execute(ctx, args)
	case "rename":
		return rename(ctx, args)
	case "help", "-h", "-help", "--help":
		fmt.Print(usage)
		return nil
	}

	s, err := readSettings()
	if err != nil {
		return err
	}
	switch command {
	case "demo":
		return tellStory(ctx, s, args)
	case "up":
		return up(ctx, s)
	case "down":
		return down(ctx, s)
	case "clean":
		return clean(ctx, s)
	case "run":
		return supervise(ctx, s)
	case "status":
		return status(ctx, s)
	case "audit":
		return auditing(ctx, s, args)
	case "trace":
		return showTrace(ctx, s, args)
	case "tap":
		return listen(ctx, s, args)
	case "logs":
		return logs(s, args)
	case "stop", "start":
		if len(args) != 1 {
			return fmt.Errorf("%s what? a program, a replica such as orders-2, postgres or rabbitmq", command)
		}
		return tellSupervisor(ctx, s, command, args[0])
	default:
		return fmt.Errorf("no command %q; there are: %s", command, strings.Join([]string{
			"demo", "up", "down", "clean", "run", "status", "logs", "stop", "start", "tap", "trace", "audit", "exec", "doctor", "install", "rename",
		}, ", "))
	}
}
