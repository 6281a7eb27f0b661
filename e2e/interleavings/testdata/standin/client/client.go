// Package client stands in for what is done to the text of errors.
package client

// Clean returns s.
func Clean(s string) string { return s }
