// Package compatibility compares the documents of the API with those of the last release, and finds what would break a client
// or a service that was written for that release. docs/compatibility.md has the rules for people. oasdiff knows them for
// OpenAPI; the messages are compared as the requests and answers of an API that is made up for this.
package compatibility

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/flatten/allof"
	"github.com/oasdiff/oasdiff/load"
	"go.yaml.in/yaml/v3"
)

// noticeDays is how long an operation is deprecated at least before it is removed.
const noticeDays = 180

// HTTP returns what in an OpenAPI document breaks clients of the released one, sorted; nothing: all changes are additive. It
// returns an error if a document cannot be read.
func HTTP(released, now []byte) ([]string, error) {
	before, err := read(released)
	if err != nil {
		return nil, fmt.Errorf("the released document: %w", err)
	}
	after, err := read(now)
	if err != nil {
		return nil, err
	}
	return compare(before, after)
}

// tree is a document, or a part of one.
type tree = map[string]any

func read(text []byte) (tree, error) {
	var document tree
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return document, nil
}

func compare(before, after tree) ([]string, error) {
	accept(before, after)
	describeStreams(before)
	describeStreams(after)
	old, err := specOf(before)
	if err != nil {
		return nil, fmt.Errorf("the released document: %w", err)
	}
	current, err := specOf(after)
	if err != nil {
		return nil, err
	}
	difference, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), old, current)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	config := checker.NewConfig(checker.GetAllChecks(), checker.WithSeverityLevels(levels()), checker.WithDeprecation(noticeDays, noticeDays))
	found := map[string]bool{}
	for _, change := range checker.CheckBackwardCompatibilityUntilLevel(config, difference, sources, checker.WARN) {
		text := change.GetUncolorizedText(checker.NewDefaultLocalizer())
		found[strings.TrimSpace(fmt.Sprintf("%s %s: %s", change.GetOperation(), change.GetPath(), text))] = true
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// levels are our own decisions where oasdiff judges otherwise.
func levels() map[string]checker.Level {
	own := map[string]checker.Level{
		// A client may need what is optional, or branch on a status.
		"response-optional-property-removed":  checker.ERR,
		"response-non-success-status-removed": checker.ERR,
		"optional-response-header-removed":    checker.ERR,
	}
	for id := range checker.GetCheckLevels() { // the limits of an answer are no promise, only those of a request are
		limit := strings.Contains(id, "-max-") || strings.Contains(id, "-min-")
		wider := strings.HasSuffix(id, "creased") || strings.HasSuffix(id, "-unset")
		if strings.HasPrefix(id, "response-") && limit && wider {
			own[id] = checker.INFO
		}
	}
	return own
}

// accept takes two things out of the comparison, by changing the released document. New values of an enumeration that was open
// there, and is still there, are added: readers expect them. Fields that are gone after their notice are removed.
func accept(before, after any) {
	switch old := before.(type) {
	case tree:
		current, ok := after.(tree)
		if !ok {
			return
		}
		values, isEnum := old["enum"].([]any)
		more, isStill := current["enum"].([]any)
		if old["x-open"] == true && isEnum && isStill {
			for _, value := range more {
				if !slices.Contains(values, value) {
					values = append(values, value)
				}
			}
			old["enum"] = values
		}
		fields, _ := old["properties"].(tree)
		for name, field := range fields {
			if _, still := at(current, "properties")[name]; !still && overdue(field) {
				delete(fields, name)
				if required, ok := old["required"].([]any); ok {
					old["required"] = slices.DeleteFunc(required, func(field any) bool { return field == name })
				}
			}
		}
		for name, part := range old {
			accept(part, current[name])
		}
	case []any:
		current, _ := after.([]any)
		for i := range min(len(old), len(current)) {
			accept(old[i], current[i])
		}
	}
}

// overdue reports whether a field was deprecated and its sunset has passed.
func overdue(field any) bool {
	sunset, err := time.Parse(time.DateOnly, fmt.Sprint(member(field, "x-sunset"))) // an error: there is no date
	return member(field, "deprecated") == true && err == nil && time.Now().After(sunset)
}

// describeStreams makes a schema of the events of each stream, which OpenAPI has no words for.
func describeStreams(part any) {
	switch part := part.(type) {
	case tree:
		if events, ok := part["x-events"].([]any); ok {
			names, properties := []any{}, tree{}
			for _, event := range events {
				if event, ok := event.(tree); ok {
					name := fmt.Sprint(event["event"])
					names, properties[name] = append(names, name), event["data"]
				}
			}
			part["schema"] = tree{"type": "object", "required": names, "properties": properties}
		}
		for _, member := range part {
			describeStreams(member)
		}
	case []any:
		for _, member := range part {
			describeStreams(member)
		}
	}
}

func specOf(document tree) (*load.SpecInfo, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode the document: %w", err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if spec, err = allof.MergeSpec(spec); err != nil { // it does not matter in which part of a schema a field is
		return nil, fmt.Errorf("merge the parts of schemas: %w", err)
	}
	return &load.SpecInfo{Spec: spec}, nil
}
