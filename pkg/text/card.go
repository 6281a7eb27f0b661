package text

import (
	"slices"
	"unicode"
)

// Numbers of payment cards (ISO/IEC 7812) have this many digits. The last one is a check digit by Luhn's algorithm.
const (
	cardLeast, cardMost = 13, 19
	cardGroup           = 4 // digits before the first gap, as on every card
	cardGroupMost       = 7 // digits between two gaps
	cardGap             = 3 // characters that a gap may have
)

// Card reports whether a text holds the number of a payment card, which may be stored only where it is needed (PCI DSS, 3).
// Digits may be of any script, in groups. A text that has only digits is taken for a number however it is divided. Within
// other text the digits must stand in one piece or be grouped as on cards: house numbers, postal codes and telephone
// numbers stand there too, and one in ten has the right check digit. No card number begins with 0, as telephone numbers do.
// Card numbers of 13 digits, a length that the numbers on goods (EAN, ISBN) have, all begin with 4.
func Card(s string) bool {
	groups, whole := split(s)
	for i, first := range groups {
		var digits []int
		for j := i; j < len(groups) && len(digits) <= cardMost; j++ {
			next := groups[j]
			if j > i && next.after > cardGap {
				break
			}
			digits = append(digits, next.digits...)
			printed := len(first.digits) == cardGroup && !slices.ContainsFunc(groups[i:j+1], func(g group) bool { return len(g.digits) > cardGroupMost })
			all := whole && i == 0 && j == len(groups)-1
			if (all || (i == j || printed) && issued(digits)) && luhn(digits) {
				return true
			}
		}
	}
	return false
}

// group is a row of digits with nothing between them.
type group struct {
	digits []int
	after  int // characters since the last group; many when there is a letter among them
}

// split returns the groups of digits in a text. whole is false when there are letters, too.
func split(s string) (groups []group, whole bool) {
	const many = 1 << 20
	after := many
	whole = true
	for _, r := range s {
		d, ok := digit(r)
		switch {
		case ok && after == 0:
			g := &groups[len(groups)-1]
			g.digits = append(g.digits, d)
		case ok:
			groups = append(groups, group{[]int{d}, after})
			after = 0
		case unicode.IsLetter(r):
			after, whole = many, false
		default:
			after++
		}
	}
	return groups, whole
}

// digit returns the value of a decimal digit of any script. In Unicode the digits of a script are ten code points in a row.
func digit(r rune) (value int, ok bool) {
	if r <= '9' {
		return int(r - '0'), r >= '0'
	}
	for _, row := range unicode.Nd.R16 {
		if r >= rune(row.Lo) && r <= rune(row.Hi) {
			return int(r-rune(row.Lo)) % 10, true
		}
	}
	for _, row := range unicode.Nd.R32 {
		if r >= rune(row.Lo) && r <= rune(row.Hi) {
			return int(r-rune(row.Lo)) % 10, true
		}
	}
	return 0, false
}

// issued reports whether there are, or were, cards that begin like this.
func issued(digits []int) bool {
	return digits[0] != 0 && (len(digits) != cardLeast || digits[0] == 4)
}

func luhn(digits []int) bool {
	if len(digits) < cardLeast || len(digits) > cardMost {
		return false
	}
	sum := 0
	for i, d := range digits {
		if (len(digits)-i)%2 == 0 {
			d = d*2%10 + d*2/10
		}
		sum += d
	}
	return sum%10 == 0
}
