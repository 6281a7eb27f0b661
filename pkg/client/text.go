package client

import (
	"strings"
	"unicode"

	"example.com/orderflow/pkg/text"
	"example.com/orderflow/pkg/wire"
)

const cleanMost = 500 // bytes

// Code returns the member "code" that many APIs add to their problems, or "" when there is none.
func (p *Problem) Code() string {
	var body struct {
		Code string `json:"code"`
	}
	if err := wire.Read(p.Body, &body); err != nil {
		return ""
	}
	return body.Code
}

// Clean makes a text of an upstream's fit for a column, a log and a page: nothing that no text may hold, valid UTF-8, at most 500 bytes read.
func Clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), cleanMost)], "\uFFFD")
	return strings.Map(func(r rune) rune {
		if text.Wrong(string(r)) != "" {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
