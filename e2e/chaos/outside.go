package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"example.com/orderflow/local/direct"
)

// outside is the setting of the simulator for each fault of an outside party.
var outside = map[Kind]string{
	Failing:   `{"error_rate":0.7}`,
	Slow:      `{"latency":"1500ms","jitter":"2s"}`, // about half of the attempts, which last two seconds at most, time out
	Ambiguous: `{"ambiguous_rate":0.5}`,
	Down:      `{"down":true}`,
}

// worldFault begins a fault of an outside party. The fault counts if the party gave bad answers meanwhile; for a slow party,
// any answer counts.
func (t target) worldFault(ctx context.Context, f Fault) (heal, error) {
	before, err := t.given(ctx, f)
	if err != nil {
		return nil, err
	}
	if err := t.setFaults(ctx, fmt.Sprintf(`{%q:%s}`, f.Victim, outside[f.Kind])); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := t.setFaults(ctx, `{}`); err != nil {
			return err
		}
		after, err := t.given(ctx, f)
		if err == nil && after <= before {
			err = errNothing
		}
		return err
	}, nil
}

func (t target) setFaults(ctx context.Context, faults string) error {
	_, err := t.simulator(ctx, http.MethodPut, "/faults", faults)
	return err
}

// given counts the answers of a party that a fault of this kind would give.
func (t target) given(ctx context.Context, f Fault) (n int, err error) {
	text, err := t.simulator(ctx, http.MethodGet, "/metrics", "")
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		bad := strings.Contains(line, `outcome="503"`) || strings.Contains(line, `outcome="reset"`)
		if !strings.Contains(line, fmt.Sprintf("party=%q", f.Victim)) || f.Kind != Slow && !bad {
			continue
		}
		count := 0
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &count); err != nil {
			return 0, fmt.Errorf("read %q: %w", line, err)
		}
		n += count
	}
	return n, nil
}

func (t target) simulator(ctx context.Context, method, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.SimulatorURL+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	response, err := direct.Client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return string(answer), err
}
