package shop

import "time"

const (
	SkusMost = skusMost
	StaleFor = staleFor
)

// Age lets time pass for everything that is known from earlier answers.
func (s *Pages) Age(by time.Duration) {
	k := s.shelf
	k.mu.Lock()
	defer k.mu.Unlock()
	for sort, page := range k.first {
		page.AsOf = page.AsOf.Add(-by)
		k.first[sort] = page
	}
	k.products.InvalidateAll()
}
