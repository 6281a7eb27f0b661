package console

const SettledMost = settledMost

type DeadLetter = deadLetter
type DeadLetterGroup = deadLetterGroup
type Edition = edition
type Settled = settled

var ErrNobodys = errNobodys
var LatestFirst = latestFirst

// Cursor is the cursor behind a dead letter.
func (d deadLetter) Cursor() string { return d.cursor() }
