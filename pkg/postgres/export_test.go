package postgres

// ExpireStatement is for tests that look at its plan.
var ExpireStatement = expireStatement
