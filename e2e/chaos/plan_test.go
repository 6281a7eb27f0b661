package chaos

import (
	"slices"
	"testing"
	"time"
)

func TestTheSameSeedGivesTheSamePlan(t *testing.T) {
	t.Parallel()
	if !slices.Equal(Plan(7, 30*time.Minute), Plan(7, 30*time.Minute)) {
		t.Error("the same seed has two plans")
	}
	if slices.Equal(Plan(7, 30*time.Minute), Plan(8, 30*time.Minute)) {
		t.Error("two seeds have the same plan")
	}
}

func TestAPlanHasEveryKindOftenEnough(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		for duration, want := range map[time.Duration]int{4 * time.Minute: 1, 30 * time.Minute: 10} {
			counts := map[Kind]int{}
			for _, f := range Plan(seed, duration) {
				counts[f.Kind]++
			}
			for _, k := range kinds() {
				if counts[k.name] < want {
					t.Errorf("seed %d, %s: %d times %s", seed, duration, counts[k.name], k.name)
				}
			}
		}
	}
}

func TestAPlanHasEveryVictimOfAnHourAndAHalf(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	for _, f := range Plan(7, 90*time.Minute) {
		met[f.String()] = true
	}
	for _, k := range kinds() {
		for _, victim := range k.victims {
			if f := (Fault{Kind: k.name, Victim: victim}); !met[f.String()] {
				t.Errorf("never %s", f)
			}
		}
	}
}

func TestTwoFaultsAtATimeDoNotMeetInOneVictim(t *testing.T) {
	t.Parallel()
	const duration = 30 * time.Minute
	plan := Plan(7, duration)
	for i, f := range plan {
		if f.Begin < warmUp || f.Begin+f.Length > duration-coolDown {
			t.Errorf("%s is from %s to %s", f, f.Begin, f.Begin+f.Length)
		}
		for j, other := range plan {
			if i == j || other.Begin+other.Length <= f.Begin || f.Begin+f.Length <= other.Begin {
				continue
			}
			if f.Lane == other.Lane {
				t.Errorf("%s and %s are in one lane", f, other)
			}
			if clash(f, other) {
				t.Errorf("%s meets %s", f, other)
			}
		}
	}
}

func TestPartsThatAFaultTouches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault Fault
		want  []string
	}{
		{Fault{Kind: Killed, Victim: "orders-1"}, []string{"orders"}},
		{Fault{Kind: Frozen, Victim: "bff-web"}, []string{"bff-web"}},
		{Fault{Kind: Killed, Victim: "postgres"}, []string{"postgres", "simulator"}},
		{Fault{Kind: Vanished, Victim: "orders-2"}, []string{"orders", "rabbitmq", "postgres"}},
		{Fault{Kind: Ahead, Victim: "shipping-1"}, []string{"shipping"}},
		{Fault{Kind: DealtTwice, Victim: "payments.commands"}, []string{"payments", "rabbitmq"}},
		{Fault{Kind: Slow, Victim: "carrier"}, []string{"simulator"}},
		{Fault{Kind: Reset, Victim: "orders to database"}, []string{"orders", "postgres"}},
		{Fault{Kind: OneWay, Victim: "payments to provider"}, []string{"payments", "provider"}},
	} {
		if got := test.fault.touches(); !slices.Equal(got, test.want) {
			t.Errorf("%s touches %v, want %v", test.fault, got, test.want)
		}
	}
}

func TestFaultsWithoutEffectArePlayedAgain(t *testing.T) {
	t.Parallel()
	plan := []Fault{{Kind: Killed, Begin: time.Second}, {Kind: Slow, Begin: time.Minute}, {Kind: Slow, Victim: "other", Begin: time.Hour}}
	if got := unnoticed(plan, nil); !slices.Equal(got, plan) {
		t.Errorf("first %v", got)
	}
	done := []Done{{Fault: plan[0]}, {Fault: plan[1], Idle: true}, {Fault: plan[2], Idle: true}}
	if got := unnoticed(plan, done); !slices.Equal(got, []Fault{{Kind: Slow}, {Kind: Slow, Victim: "other"}}) {
		t.Errorf("then %v", got)
	}
	if got := unnoticed(plan, append(done, Done{Fault: plan[1]})); len(got) != 0 {
		t.Errorf("in the end %v", got)
	}
}
