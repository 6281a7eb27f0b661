package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"example.com/orderflow/local/audit"
)

// auditing audits the running system. Its error is an exit code when there are breaches.
func auditing(ctx context.Context, s settings, args []string) error {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the whole report as JSON")
	timeout := flags.Duration("wait", 30*time.Second, "how long the system may take to come to rest")
	accepted := flags.String("accepted", "", "`file` with the ids of orders that were accepted, one a line")
	dead := flags.String("dead", "", "`ids` of messages that are dead letters for a good reason, separated by commas")
	if flags.Parse(args) != nil {
		return exitCode(2) // flag has printed the reason
	}
	var expected audit.Expectations
	if *dead != "" {
		expected.Dead = strings.Split(*dead, ",")
	}
	var err error
	if *accepted != "" {
		if expected.Accepted, err = readLines(*accepted); err != nil {
			return err
		}
	}
	sources, err := books(ctx, s)
	if err != nil {
		return err
	}
	report, err := audit.Await(ctx, sources, expected, *timeout)
	if err != nil {
		return err
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		report.Print(os.Stdout)
	}
	if err == nil && !report.OK() {
		return exitCode(1)
	}
	return err
}

// books asks the supervisor where the books of its system are.
func books(ctx context.Context, s settings) (sources audit.Sources, err error) {
	answer, err := visit(ctx, s.dir, http.MethodGet, "/books", nil)
	if err != nil {
		return sources, err
	}
	if err := json.Unmarshal(answer, &sources); err != nil {
		return sources, fmt.Errorf("ask the supervisor: %w", err)
	}
	sources.Repo = s.repo
	return sources, nil
}

// readLines reads the lines of a file that are not empty.
func readLines(path string) (lines []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, scanner.Err()
}
