package upgrade

import (
	"errors"
	"strings"
)

// statement is a statement of a migration in a simple form: lower case, single spaces between words, empty strings and quoted
// names, no comments.
type statement struct {
	text     string
	contract string // the comment before it that begins with "contract:"
}

// split reads the statements of a migration.
func split(file string) ([]statement, error) {
	if strings.Contains(file, "/*") || strings.ContainsAny(file, "\\$") {
		// Each of them starts another form of string, name or comment, which could hide a statement.
		return nil, errors.New(`it has one of /* \ $, which the reader of migrations does not know`)
	}
	var all []statement
	var s statement
	var text strings.Builder
	end := func() {
		s.text = strings.ToLower(strings.Join(strings.Fields(text.String()), " "))
		s.text = strings.NewReplacer("( ", "(", " )", ")", " ,", ",").Replace(s.text)
		if s.text != "" {
			all = append(all, s)
			s = statement{}
		}
		text.Reset()
	}
	for rest := file; rest != ""; {
		i := strings.IndexAny(rest, "'\";-")
		if i < 0 {
			text.WriteString(rest)
			break
		}
		text.WriteString(rest[:i])
		rest = rest[i:]
		switch {
		case strings.HasPrefix(rest, "--"):
			var said string
			said, rest, _ = strings.Cut(rest[2:], "\n")
			if said = strings.TrimSpace(said); strings.HasPrefix(said, "contract:") {
				s.contract = said
			}
			text.WriteByte('\n')
		case rest[0] == '\'' || rest[0] == '"':
			quote := rest[:1]
			for strings.HasPrefix(rest, quote) { // a quote within the string is written twice
				var closed bool
				if _, rest, closed = strings.Cut(rest[1:], quote); !closed {
					return nil, errors.New("a string or a name in it has no end")
				}
			}
			text.WriteString(quote + quote)
		case rest[0] == ';':
			end()
			rest = rest[1:]
		default:
			text.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	end()
	if s.contract != "" {
		return nil, errors.New("a line about a contract has no statement behind it")
	}
	return all, nil
}

// commas splits a list at its commas, except those in parentheses.
func commas(list string) (parts []string) {
	depth, from := 0, 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts, from = append(parts, strings.TrimSpace(list[from:i])), i+1
		}
	}
	return append(parts, strings.TrimSpace(list[from:]))
}
