package postgres

// ExpireStatement is for tests, which look at its plan.
var ExpireStatement = expireStatement
