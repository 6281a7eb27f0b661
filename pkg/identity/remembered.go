package identity

import (
	"crypto"
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
)

// rememberedMost is how many good tokens a program remembers, each in about 500 bytes. With more callers at the same time,
// the tokens that are used least are verified again.
const rememberedMost = 10_000

// remembered are the tokens that were verified, by their SHA-256: so no token can be read from here, and a long one takes
// little room. Bad tokens are not remembered: invented ones displace no good token.
type remembered = otter.Cache[[sha256.Size]byte, goodToken]

// goodToken is what was verified of a token. Only the time and the key can change: both are checked each time that the
// token comes.
type goodToken struct {
	caller Caller
	from   time.Time // nbf, less the leeway; zero: no such claim
	until  time.Time // exp, with the leeway
	kid    string
	key    publicKey // that the signature was verified with
}

// publicKey has the method that all public keys of the standard library have (see crypto.PublicKey).
type publicKey interface {
	Equal(other crypto.PublicKey) bool
}

// holds reports whether a token is valid at a time, and was verified with the key that its issuer publishes now.
func (g goodToken) holds(now time.Time, key any) bool {
	return now.Before(g.until) && !now.Before(g.from) && g.key.Equal(key)
}

func newRemembered() *remembered {
	return otter.Must(&otter.Options[[sha256.Size]byte, goodToken]{MaximumSize: rememberedMost})
}
