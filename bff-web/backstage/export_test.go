package backstage

// Now returns the latest frame.
func (l *Lookout) Now() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Collects reports whether there is a collection.
func (l *Lookout) Collects() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop != nil
}
