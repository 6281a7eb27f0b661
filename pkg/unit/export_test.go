package unit

// Waiting is how many decisions wait for a transaction of Do.
func (o *Office[W]) Waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}
