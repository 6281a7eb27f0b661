package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// toJSON writes a value of the document as indented JSON, with members in the order of the document.
func toJSON(node *yaml.Node) (string, error) {
	var raw, pretty bytes.Buffer
	if err := writeJSON(&raw, node); err != nil {
		return "", err
	}
	if err := json.Indent(&pretty, raw.Bytes(), "", "  "); err != nil {
		return "", fmt.Errorf("line %d: %w", node.Line, err)
	}
	return pretty.String(), nil
}

func writeJSON(to *bytes.Buffer, node *yaml.Node) error {
	switch node.Kind {
	case yaml.AliasNode:
		return writeJSON(to, node.Alias)
	case yaml.MappingNode:
		to.WriteByte('{')
		for i := 0; i+1 < len(node.Content); i += 2 {
			if i > 0 {
				to.WriteByte(',')
			}
			quote(to, node.Content[i].Value)
			to.WriteByte(':')
			if err := writeJSON(to, node.Content[i+1]); err != nil {
				return err
			}
		}
		to.WriteByte('}')
	case yaml.SequenceNode:
		to.WriteByte('[')
		for i, item := range node.Content {
			if i > 0 {
				to.WriteByte(',')
			}
			if err := writeJSON(to, item); err != nil {
				return err
			}
		}
		to.WriteByte(']')
	case yaml.ScalarNode:
		switch node.Tag {
		case "!!int", "!!float", "!!bool":
			to.WriteString(node.Value)
		case "!!null":
			to.WriteString("null")
		default: // a time is a string, too
			quote(to, node.Value)
		}
	default:
		return fmt.Errorf("line %d: not a value", node.Line)
	}
	return nil
}

func quote(to *bytes.Buffer, s string) {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string cannot fail
	to.Truncate(to.Len() - 1)
}

// plainValue is a value as a person writes it into a field or a URL: a string without its quotes, a list with commas.
func plainValue(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.AliasNode:
		return plainValue(node.Alias)
	case yaml.ScalarNode:
		return node.Value, nil
	case yaml.SequenceNode:
		var all []string
		for _, item := range node.Content {
			value, err := plainValue(item)
			if err != nil {
				return "", err
			}
			all = append(all, value)
		}
		return strings.Join(all, ", "), nil
	}
	return toJSON(node)
}
