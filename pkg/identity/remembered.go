package identity

import (
	"crypto"
	"crypto/sha256"
	"sync"
	"time"

	"example.com/orderflow/pkg/lru"
)

// rememberedMost is how many good tokens a program remembers, each with some 500 bytes. With more callers than that at the
// same time, those who have not been heard of for longest are verified again.
const rememberedMost = 10_000

// remembered are the tokens that were verified, by their SHA-256: neither can a token be read from here, nor does a long one
// need much room. Bad tokens are not remembered: whoever invents them drives out nobody.
type remembered struct {
	mu     sync.Mutex
	tokens *lru.Map[[sha256.Size]byte, goodToken]
}

// goodToken is what a token's signature and claims have shown. All of it stays true except for the time and the key, which
// have to be looked at each time that the token comes.
type goodToken struct {
	caller Caller
	from   time.Time // nbf, less the leeway; zero: no such claim
	until  time.Time // exp, with the leeway
	kid    string
	key    publicKey // that the signature was verified with
}

// publicKey is what all public keys of the standard library have in common (see crypto.PublicKey).
type publicKey interface {
	Equal(other crypto.PublicKey) bool
}

// holds reports whether a token is good at a time, and was verified with the key that its issuer publishes now.
func (g goodToken) holds(now time.Time, key any) bool {
	return now.Before(g.until) && !now.Before(g.from) && g.key.Equal(key)
}

func newRemembered() *remembered {
	return &remembered{tokens: lru.New[[sha256.Size]byte, goodToken](rememberedMost, 0)}
}

func (r *remembered) get(hash [sha256.Size]byte) (g goodToken, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tokens.Get(hash)
}

func (r *remembered) put(hash [sha256.Size]byte, g goodToken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens.Put(hash, g, 1)
}
