package deadletters

import (
	"regexp"
	"strings"
	"unicode"
)

// alikeMost is the length of an error by which letters are grouped, in characters.
const alikeMost = 200

// particular matches what differs between errors with the same cause: words with digits, such as ids, amounts and times.
var particular = regexp.MustCompile(`([\pL\pN_]+[-.:])*[\pL_]*\pN[\pL\pN_]*([-.:][\pL\pN_]+)*`)

// alike returns the text of an error without ids and numbers: two letters with the same cause have the same one.
func alike(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(particular.ReplaceAllString(text, "…")), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), alikeMost)]))
}
