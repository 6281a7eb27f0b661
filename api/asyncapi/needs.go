package asyncapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Needs are a consumer's contract (Ian Robinson, Consumer-Driven Contracts, 2006): the fields that it needs of each kind that
// it receives, as the file needs.yaml in its folder lists them. The path of a field is such as lines[].sku. A path that ends
// with a question mark is of a field that its producer may leave out; if it is there, it is needed.
type Needs map[string][]string

// ReadNeeds reads a file of needs.
func ReadNeeds(file string) (Needs, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("needs: %w", err)
	}
	var n Needs
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// Promises returns an error for each need that the document does not promise: a field that it does not have, that a producer
// may leave out, or that no example shows.
func (d *Document) Promises(n Needs) (err error) {
	for _, kind := range slices.Sorted(maps.Keys(n)) {
		fields := d.Fields(kind)
		examples, unreadable := d.Examples(kind)
		if err = errors.Join(err, unreadable); len(fields) == 0 {
			err = errors.Join(err, fmt.Errorf("there is no message %s", kind))
			continue
		}
		for _, need := range n[kind] {
			path, optional := strings.CutSuffix(need, "?")
			switch shown := slices.ContainsFunc(examples, func(body []byte) bool { return Has(body, path) }); {
			case fields[path].Type == "":
				err = errors.Join(err, fmt.Errorf("%s has no field %s", kind, path))
			case !optional && !required(fields, path):
				err = errors.Join(err, fmt.Errorf("%s may be without the field %s", kind, path))
			case !shown:
				err = errors.Join(err, fmt.Errorf("no example of %s has the field %s", kind, path))
			}
		}
	}
	return err
}

// required reports whether each message has a field: it and all objects around it are required.
func required(fields map[string]Field, path string) bool {
	for i := range len(path) + 1 {
		if i == len(path) || path[i] == '.' {
			if !fields[strings.TrimSuffix(path[:i], "[]")].Required {
				return false
			}
		}
	}
	return true
}

// Has reports whether a body has a field.
func Has(body []byte, path string) bool {
	found := false
	_, err := pruned(body, func(at string) bool {
		found = found || at == path
		return true
	})
	return err == nil && found
}

// Only returns a body without the fields that are not needed.
func Only(body []byte, needs []string) ([]byte, error) {
	return pruned(body, func(at string) bool {
		return slices.ContainsFunc(needs, func(need string) bool {
			rest, within := strings.CutPrefix(strings.TrimSuffix(need, "?"), at)
			return within && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	})
}

// Without returns a body without a field.
func Without(body []byte, path string) ([]byte, error) {
	return pruned(body, func(at string) bool { return at != path })
}

// pruned returns a body with those fields that are kept.
func pruned(body []byte, keep func(path string) bool) ([]byte, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	prune("", value, keep)
	return json.Marshal(value)
}

func prune(path string, value any, keep func(path string) bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, sub := range value {
			at := strings.TrimPrefix(path+"."+name, ".")
			if !keep(at) {
				delete(value, name)
				continue
			}
			prune(at, sub, keep)
		}
	case []any:
		for _, item := range value {
			prune(path+"[]", item, keep)
		}
	}
}
