package telemetry_test

import (
	"net/http"
	"regexp"
	"testing"

	"example.com/orderflow/pkg/telemetry"
)

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func TestATraceIsPassedOnUnchanged(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{sampled, unsampled} {
		ctx, _ := telemetry.Begin(t.Context(), http.Header{"Traceparent": {parent}, "Tracestate": {"a=b"}})
		if got, state := telemetry.Inject(ctx); got != parent || state != "a=b" {
			t.Errorf("into a message: %s, %s", got, state)
		}
		out := http.Header{"Traceparent": {"what was here"}}
		if telemetry.Propagate(ctx, out); out.Get("Traceparent") != parent || out.Get("Tracestate") != "a=b" {
			t.Errorf("into a request: %v", out)
		}
		handling, span := telemetry.Consume(t.Context(), telemetry.Message{Parent: parent, State: "a=b"}, telemetry.Span{})
		span.End(nil)
		if got, state := telemetry.Inject(handling); got != parent || state != "a=b" {
			t.Errorf("through a message: %s, %s", got, state)
		}
		if id := telemetry.TraceID(handling); id != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("the trace is %s", id)
		}
	}
}

func TestATraceBeginsWhereThereIsNone(t *testing.T) {
	t.Parallel()
	good := regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-00$`)
	ids := map[string]bool{}
	note := func(parent string) {
		t.Helper()
		found := good.FindStringSubmatch(parent)
		if found == nil || ids[found[1]] {
			t.Errorf("%q is no trace of its own", parent)
			return
		}
		ids[found[1]] = true
	}
	for _, parent := range []string{"", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		ctx, _ := telemetry.Begin(t.Context(), http.Header{"Traceparent": {parent}})
		got, _ := telemetry.Inject(ctx)
		note(got)
		handling, _ := telemetry.Consume(t.Context(), telemetry.Message{Parent: parent}, telemetry.Span{})
		got, _ = telemetry.Inject(handling)
		note(got)
	}
}

func TestWithoutATraceNothingIsPassedOn(t *testing.T) {
	t.Parallel()
	ctx := telemetry.Extract(t.Context(), "nonsense", "a=b")
	parent, state := telemetry.Inject(ctx)
	out := http.Header{}
	telemetry.Propagate(ctx, out)
	if parent != "" || state != "" || len(out) > 0 || telemetry.TraceID(ctx) != "" {
		t.Errorf("%q, %q, %v, %q", parent, state, out, telemetry.TraceID(ctx))
	}
}

func TestOnlyASampledTraceIsAnExemplar(t *testing.T) {
	t.Parallel()
	if id := telemetry.TraceID(telemetry.Sampled(t.Context(), sampled, "")); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace is %q", id)
	}
	for _, parent := range []string{"", unsampled, "nonsense-01"} {
		if id := telemetry.TraceID(telemetry.Sampled(t.Context(), parent, "")); id != "" {
			t.Errorf("%q is the trace %s", parent, id)
		}
	}
}
