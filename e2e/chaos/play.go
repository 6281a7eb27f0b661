package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Done is a fault as it really happened.
type Done struct {
	Fault
	Began, Healed time.Time
	Idle          bool // it had no effect
}

// player executes a plan.
type player struct {
	target target
	out    io.Writer // gets a line for each beginning and each end

	victims map[string]*sync.Mutex // locked while the victim has a fault

	mu     sync.Mutex
	done   []Done
	failed []error
}

// play executes the faults of a plan, each at its time or, if the one before it took longer to heal, directly after it. Its
// error lists the faults that could not be begun or undone.
func play(ctx context.Context, t target, plan []Fault, out io.Writer) ([]Done, error) {
	p := &player{target: t, out: out, victims: map[string]*sync.Mutex{}}
	for _, f := range plan {
		for _, who := range f.touches() {
			p.victims[who] = &sync.Mutex{}
		}
	}
	start := time.Now()
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for _, f := range plan {
				if f.Lane == lane && sleep(ctx, time.Until(start.Add(f.Begin))) == nil {
					p.one(ctx, f, start)
				}
			}
		})
	}
	all.Wait()
	return p.done, errors.Join(p.failed...)
}

// one begins a fault and heals it. It keeps faults of a victim apart, as the plan does, even if the machine is slower than planned.
func (p *player) one(ctx context.Context, f Fault, start time.Time) {
	touched := f.touches()
	slices.Sort(touched) // so that two lanes cannot deadlock
	for _, who := range touched {
		p.victims[who].Lock()
		defer p.victims[who].Unlock()
	}
	done := Done{Fault: f, Began: time.Now()}
	p.tell(start, "%s", f)
	heal, err := p.target.strike(ctx, f)
	if p.judge(&done, err, start); err != nil {
		done.Idle = true
	} else {
		p.judge(&done, sleep(ctx, f.Length), start)
	}
	if heal != nil {
		p.judge(&done, heal(ctx), start)
	}
	done.Healed = time.Now()
	p.tell(start, "%s: over after %.1f s", f, done.Healed.Sub(done.Began).Seconds())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, done)
}

// unnoticed are the faults of a plan whose kinds have had no effect so far. After the first round each is due at once.
func unnoticed(plan []Fault, done []Done) []Fault {
	var left []Fault
	for _, f := range plan {
		if slices.ContainsFunc(done, func(d Done) bool { return d.Kind == f.Kind && !d.Idle }) {
			continue
		}
		if len(done) > 0 {
			f.Begin = 0
		}
		left = append(left, f)
	}
	return left
}

// judge records the result of a step. A step without effect is no failure, but must not count as a success either.
func (p *player) judge(done *Done, err error, start time.Time) {
	if err == nil {
		return
	}
	p.tell(start, "%s: %v", done.Fault, err)
	if errors.Is(err, errNothing) {
		done.Idle = true
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, fmt.Errorf("%s: %w", done.Fault, err))
}

func (p *player) tell(start time.Time, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
