// Package text judges what people write: names, addresses, reasons. Such a text is shown, printed on labels and stored, so
// it has to look the same everywhere and must not be empty.
package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Normal returns one form of all texts that look alike: composed (NFC), without blanks around it, and without characters
// that have no width, which come along when people copy from a page. Calling it twice changes nothing more.
func Normal(s string) string {
	return strings.TrimSpace(norm.NFC.String(strings.Map(func(r rune) rune {
		if widthless(r) {
			return -1
		}
		return r
	}, s)))
}

// widthless reports whether a character shows nothing and is needed by no script. Joiners and variation selectors are
// needed: by Persian, by the languages of India, and in emoji.
func widthless(r rune) bool {
	switch {
	case r == '\u200C', r == '\u200D', unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Bidi_Control, r):
		return false
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) // for example the fillers of Hangul, which are letters
}

// Wrong returns what is wrong with a text that holds a character that no text may hold. It is the end of a sentence whose
// subject is the text's name; "" means that nothing is wrong.
func Wrong(s string) string {
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == unicode.ReplacementChar, unicode.In(r, unicode.Zl, unicode.Zp):
			return "must not hold control characters"
		case unicode.Is(unicode.Bidi_Control, r):
			return "must not hold characters that change the direction of a text"
		case unicode.In(r, unicode.Co, unicode.Noncharacter_Code_Point):
			return "must not hold characters without a meaning for everybody"
		}
	}
	return ""
}

const brailleBlank = '\u2800' // Unicode calls it a symbol, but it shows nothing

// Visible reports whether a text shows something: a letter, a digit, a sign. An accent alone does not count.
func Visible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r != brailleBlank && !widthless(r) && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
	})
}
