package bus

// Sessions returns how many of the running parts have a session. Unlike Connected it can be waited for by a test that has
// just begun to run a part: Connected is also true before that part's goroutine runs.
func (b *Broker) Sessions() int { return int(b.up.Load()) }
