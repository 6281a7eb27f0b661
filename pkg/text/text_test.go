package text_test

import (
	"strings"
	"testing"
	"unicode"

	"example.com/orderflow/pkg/text"
)

func TestTextsThatLookTheSameBecomeTheSame(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"  Alice ":                       "Alice",
		"\u00a0Alice\u3000\u2003":        "Alice",
		"Zoe\u0308":                      "Zoë",
		"\ufeffAli\u200bce\u2060":        "Alice",
		"Haupt\u00adstraße 1":            "Hauptstraße 1",
		" \u200b ":                       "",
		"می\u200cخواهم":                  "می\u200cخواهم",
		"👩\u200d🚀":                       "👩\u200d🚀",
		"☎\ufe0f":                        "☎\ufe0f",
		"\U0001f3f4\U000e0067\U000e007f": "\U0001f3f4",
		"\u3164\u115f\u1160\uffa0":       "",
		"1\u00a0Main St":                 "1\u00a0Main St",
		"St.\u202eereht":                 "St.\u202eereht", // left as it is: Wrong refuses it
		"東京都\u3000千代田区":                  "東京都\u3000千代田区",
	} {
		if got := text.Normal(given); got != want {
			t.Errorf("%+q becomes %+q, want %+q", given, got, want)
		}
	}
}

func TestAVisibleTextShowsSomething(t *testing.T) {
	t.Parallel()
	for _, nothing := range []string{
		"", " ", "\t", "\u00a0", "\u200b", "\u3164", "\u2800", "\u115f", "\u0301", "\u0301\u0302", "\u200d", "\ufe0f", "\U000e0041",
		"\u3000", "\u2800 \u200b", "\ufeff", "\u180e", "\u00ad", "\u034f", "\u2062", "\U0001d173", "\u0378",
	} {
		if s := text.Normal(nothing); text.Visible(s) {
			t.Errorf("%+q shows something: %+q", nothing, s)
		}
	}
	for _, something := range []string{"A", "1", "-", "東", "é", "e\u0301", "€", "😀", "नि"} {
		if s := text.Normal(something); !text.Visible(s) {
			t.Errorf("%+q shows nothing: %+q", something, s)
		}
	}
}

func TestCharactersThatNoTextMayHold(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{
		0, '\n', 0x7f, 0x85, 0x2028, 0x2029, 0xfffd, // control
		0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, // direction
		0xe000, 0xf0000, 0x10fffd, 0xfdd0, 0xfffe, 0xffff, 0x1ffff, 0x10ffff, // private use, or no characters
	} {
		if s := text.Normal("a" + string(r) + "b"); text.Wrong(s) == "" {
			t.Errorf("%U passes, as %+q", r, s)
		}
	}
	for _, good := range []string{"Alice", "Größe", "Ωμέγα", "שלום", "مرحبا", "می\u200cخواهم", "👩\u200d🚀", "नि", "O’Neill", "Nguyễn", "1/2 № 7", "𠮷野家"} {
		if wrong := text.Wrong(text.Normal(good)); wrong != "" {
			t.Errorf("%q %s", good, wrong)
		}
	}
}

func TestTheNumberOfACardIsRecognised(t *testing.T) {
	t.Parallel()
	for _, card := range []string{
		"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "3782 822463 10005", "5555555555554444",
		"6011111111111117", "30569309025904", "4222222222222", "6304000000000000000", "1234567812345670", "5105 1051 0510 5100",
		"41111111 11111111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4111\u00a01111\u20111111.1111", "４１１１１１１１１１１１１１１１", "٤١١١١١١١١١١١١١١١",
		"card:4111111111111111", "tok_4111111111111111", "4111111111111111x", "Alice 4111 1111 1111 1111 12/27", "12 4111 1111 1111 1111",
		"(4111)  1111 - 1111/1111", "4111,1111,1111,1111",
	} {
		if !text.Card(card) {
			t.Errorf("%q passes", card)
		}
	}
	for _, other := range []string{
		"", "tok_visa", "4111111111111112", "411111111111", "41111111111111111111", "1 Main St", "10115", "Apt 4111 / 11, 11111 1111",
		"+49 151 2345 6789", "pm_1NxYzQ2eZvKYlo2C", "4f1b1111-1111-4111-8111-111111111111", "4111 Main St 1111 1111 1111",
		"0199c0de-0000-7000-8000-000000000001", "Postfach 12 34 56, 10115 Berlin", "4111 and 1111 and 1111 and 1111",
		"Tel. 0049 151 2345 6789, 3rd floor", "Tel. 0151 1234 5678 9012", "EAN 5901234123457", "ISBN 9783161484100 and 9780306406157", "1 Main St, 0012345678905",
	} {
		if text.Card(other) {
			t.Errorf("%q is taken for a card", other)
		}
	}
}

// Calling Normal a second time changes nothing. A text that passes all checks can be seen and does no harm.
func FuzzText(f *testing.F) {
	for _, s := range []string{"Alice", "", "\x00", "é\u0301", "\u0301a", " \u0301a", "\u202e", "\xff", "ᄀ\u1160\u11a8", "\u200b \u200b", "4111 1111 1111 1111"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		one := text.Normal(s)
		if again := text.Normal(one); again != one {
			t.Errorf("%+q becomes %+q, and that %+q", s, one, again)
		}
		if text.Visible(one) && text.Wrong(one) == "" && (strings.ContainsFunc(one, unicode.IsControl) || strings.TrimSpace(one) != one || !strings.ContainsFunc(one, unicode.IsGraphic)) {
			t.Errorf("%+q passes as %+q", s, one)
		}
		text.Card(s)
	})
}
