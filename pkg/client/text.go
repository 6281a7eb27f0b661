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

// Clean makes an upstream's text fit for a column, a log and a page: it cuts it to 500 bytes and leaves valid UTF-8 without
// characters that no text may hold.
func Clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), cleanMost)], "\uFFFD")
	return strings.Map(func(r rune) rune {
		if text.Wrong(string(r)) != "" {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
