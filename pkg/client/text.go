package client

import (
	"encoding/json"
	"strings"
	"unicode"
)

const cleanMost = 500 // bytes

// Code returns the member "code" that many APIs add to their problems, or "" when there is none.
func (p *Problem) Code() string {
	var body struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(p.Body, &body); err != nil {
		return ""
	}
	return body.Code
}

// Clean makes a text of a neighbour's fit for a column and a log: no control characters, valid UTF-8, at most 500 bytes read.
func Clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), cleanMost)], "\uFFFD")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
