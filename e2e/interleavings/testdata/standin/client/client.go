// Package client replaces the function that cleans the text of errors.
package client

// Clean returns s.
func Clean(s string) string { return s }
