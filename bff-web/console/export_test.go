package console

const SettledMost = settledMost

type (
	DeadLetter      = deadLetter
	DeadLetterGroup = deadLetterGroup
	Edition         = edition
	Settled         = settled
)

var (
	ErrNobodys  = errNobodys
	LatestFirst = latestFirst
)

// Cursor is the cursor behind a dead letter.
func (d deadLetter) Cursor() string { return d.cursor() }
