package traces

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is a span as it was received.
type Span struct {
	Trace, ID, Parent string // in hex; Parent is empty for the root of a trace
	Program           string // service.name
	Name              string
	Kind              string // internal, server, client, producer or consumer
	Start, End        time.Time
	Attributes        map[string]string
	Resource          map[string]string // attributes of the program
	Events            []Event
	Links             []Link
	Failed            bool
	Why               string // it has failed; may be empty
}

// Event is something that happened during a span.
type Event struct {
	At         time.Time
	Name       string
	Attributes map[string]string
}

// Link leads to a span of another trace.
type Link struct{ Trace, ID string }

// spansOf returns the spans of a request.
func spansOf(request *otlp.TracesData) (spans []Span) {
	for _, program := range request.GetResourceSpans() {
		resource := attributes(program.GetResource().GetAttributes())
		for _, scope := range program.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				spans = append(spans, spanOf(s, resource))
			}
		}
	}
	return spans
}

func spanOf(s *otlp.Span, resource map[string]string) Span {
	out := Span{
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Program: resource["service.name"], Resource: resource, Name: s.GetName(),
		Kind:  strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")),
		Start: moment(s.GetStartTimeUnixNano()), End: moment(s.GetEndTimeUnixNano()),
		Attributes: attributes(s.GetAttributes()),
		Failed:     s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR, Why: s.GetStatus().GetMessage(),
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, Event{moment(e.GetTimeUnixNano()), e.GetName(), attributes(e.GetAttributes())})
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, Link{hex.EncodeToString(l.GetTraceId()), hex.EncodeToString(l.GetSpanId())})
	}
	return out
}

// moment is right until the year 2262.
func moment(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)).UTC() }

func attributes(all []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		case *common.AnyValue_BoolValue:
			out[a.GetKey()] = strconv.FormatBool(v.BoolValue)
		default:
			out[a.GetKey()] = fmt.Sprint(a.GetValue())
		}
	}
	return out
}
