package laboratory

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Faults and customers end in the simulator, and a part comes back from the supervisor: whatever dies, nothing stays behind.
func TestEverySceneEndsByItself(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, s := range allScenes() {
		lasts := time.Duration(s.Lasts) * time.Second
		if names[s.Name] || s.Title == "" || s.What == "" || len(s.Look) == 0 {
			t.Errorf("%+v", s)
		}
		names[s.Name] = true
		if lasts <= 0 || lasts > 2*time.Minute {
			t.Errorf("%s lasts %s", s.Name, lasts)
		}
		if s.crowd.Rate > 0 && (span(s.crowd.For) <= 0 || span(s.crowd.For) > lasts) {
			t.Errorf("%s: its customers come for %s, and it lasts %s", s.Name, s.crowd.For, lasts)
		}
		if s.part.Part != "" && (span(s.part.For) <= 0 || span(s.part.After)+span(s.part.For) > lasts) {
			t.Errorf("%s: its part is away for %s, and it lasts %s", s.Name, s.part.For, lasts)
		}
		if s.crowd.Orders > 0 && float64(s.crowd.Orders)/s.crowd.Rate > lasts.Seconds() {
			t.Errorf("%s: %d orders do not come within %s", s.Name, s.crowd.Orders, lasts)
		}
	}
}

func TestTheDocumentationHasEveryScene(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/laboratory.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range allScenes() {
		if !strings.Contains(string(page), "\n| "+s.Title+" | ") {
			t.Errorf("docs/laboratory.md has no row for %q", s.Title)
		}
	}
}

func TestFaultsAreSaidInWords(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]ailment{
		"works":                            {Latency: "0s", Jitter: "0s"},
		"answers after 30s":                {Latency: "30s"},
		"answers after 100ms to 1s":        {Latency: "100ms", Jitter: "900ms"},
		"fails in 20 % of calls":           {Errors: .2},
		"loses the answer of 50 %":         {Ambiguous: .5},
		"down: it resets every connection": {Down: true, Errors: 1},
		"answers after 1s, fails in 10 % of calls, loses the answer of 10 %": {Latency: "1s", Errors: .1, Ambiguous: .1},
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if !slices.ContainsFunc(ailments{Provider: ailment{Latency: "1000ms", Jitter: "1s"}}.parties()[0].Choices, func(c choice) bool { return c.Value == "slow" && c.Chosen }) {
		t.Error("a fault that the page offers is not recognised")
	}
}
