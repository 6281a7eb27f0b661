package live

const FollowMost = followMost

// Watched reports whether streams wait for notifications.
func (f *Feed) Watched() bool { return f.watched() }
