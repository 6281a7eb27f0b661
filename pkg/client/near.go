package client

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
)

type nearKey struct{}

// Near returns r marked to go to the same replica as other requests with the same key, as long as that replica is ready and
// the call has not tried it: for an upstream whose replicas remember something that is useful, but not needed, for the next
// request. When a replica comes or goes, only the keys that are nearest to it move (rendezvous hashing; Thaler and
// Ravishankar, Using Name-Based Mappings to Increase Hit Rates, 1998). Load is spread as evenly as the keys are.
func Near(r *http.Request, key string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), nearKey{}, key))
}

// nearest returns the replica with the highest weight for a key.
func nearest(ready []*replica, key string) *replica {
	var best *replica
	var most uint64
	for _, r := range ready {
		sum := sha256.Sum256([]byte(r.name() + " " + key)) // the same in each program; a simpler hash is uneven for names that are alike
		if weight := binary.BigEndian.Uint64(sum[:]); best == nil || weight > most {
			best, most = r, weight
		}
	}
	return best
}
