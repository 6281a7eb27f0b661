package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

// demoSecret is the demo secret of all these systems, because the word "demo" may be in logs for other reasons.
const demoSecret = "only-these-tests-have-this-secret"

// private matches data that must be in no log, whatever its value: tokens, payment methods and addresses.
var private = map[string]*regexp.Regexp{
	"a token":             regexp.MustCompile(`eyJ[\w-]{10,}\.eyJ`),
	"an Authorization":    regexp.MustCompile(`(?i)\b(bearer|basic) [\w+/-]{8,}`),
	"a payment method":    regexp.MustCompile(`\btok_[a-z]+`),
	"a street":            regexp.MustCompile(regexp.QuoteMeta(stories.Street)),
	"a password in a URL": regexp.MustCompile(`\w+://[^\s/:@"]+:[^\s/@"*x]+@`),
}

// secretsIn looks for secrets and private data in everything that the parts of a system have logged.
func secretsIn(s *system.System, dir string) error {
	secrets, err := secretsOf(s, dir)
	if err != nil {
		return err
	}
	var found []error
	for _, p := range s.Parts() {
		log, err := os.ReadFile(p.LogFile())
		if err != nil {
			return err
		}
		if len(log) == 0 {
			found = append(found, fmt.Errorf("%s has logged nothing", p.Name))
		}
		found = append(found, leaks(p.Name, log, secrets))
	}
	return errors.Join(found...)
}

// leaks reports each kind of secret or private data in a log, with the first line that has it.
func leaks(name string, log []byte, secrets map[string]string) error {
	var found []error
	for line := range bytes.Lines(log) {
		for what, secret := range secrets {
			if bytes.Contains(line, []byte(secret)) {
				found = append(found, fmt.Errorf("the log of %s has %s: %s", name, what, line))
				delete(secrets, what) // one place is enough
			}
		}
		for what, pattern := range private {
			if len(found) < 20 && pattern.Match(line) {
				found = append(found, fmt.Errorf("the log of %s has %s: %s", name, what, line))
			}
		}
	}
	return errors.Join(found...)
}

// secretsOf collects all secrets, by what they are.
func secretsOf(s *system.System, dir string) (map[string]string, error) {
	secrets := map[string]string{"the demo secret": demoSecret}
	for what, address := range map[string]string{"PostgreSQL's administrator": s.Databases.URL, "RabbitMQ's administrator": s.Broker.URL} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		if password, ok := u.User.Password(); ok && len(password) > 8 {
			secrets["the password of "+what] = password
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "secrets", "*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		secrets["what is in "+filepath.Base(file)] = string(bytes.TrimSpace(text))
	}
	if len(files) < 11 { // two keys, four databases, five accounts at the broker
		return nil, fmt.Errorf("only %d secrets in %s", len(files), dir)
	}
	return secrets, nil
}

// The search for leaks finds some that are put there.
func TestALeakInALogIsFound(t *testing.T) {
	t.Parallel()
	for line, leak := range map[string]bool{
		`{"msg":"request","route":"/api/orders/{id}","status":200}`:          false,
		`{"msg":"RabbitMQ","url":"amqp://orders:xxxxx@127.0.0.1:5672/"}`:     false,
		`{"msg":"signed in","with":"hunter2"}`:                               true,
		`{"header":"Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"}`: true,
		`{"msg":"not handled","body":{"street":"` + stories.Street + `"}}`:   true,
		`{"msg":"charge","method":"tok_visa"}`:                               true,
		`{"error":"dial amqp://orders:N7JQKXW3@127.0.0.1:5672: no route"}`:   true,
	} {
		if err := leaks("orders-1", []byte(line+"\n"), map[string]string{"the secret": "hunter2"}); (err != nil) != leak {
			t.Errorf("%s: %v", line, err)
		}
	}
}
