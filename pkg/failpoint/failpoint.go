//go:build !failpoint

// Package failpoint names the places at which a program may die and nothing must be lost or done twice: between any two
// steps of which one cannot be taken back. A program that is built with the tag failpoint can be made to die at such a
// place, which e2e/crash does at each of them. In any other build At is empty and leaves nothing in the program, which
// e2e checks (docs/adr/0027).
package failpoint

// At does nothing. Its name, which is written out and used once, says what has just been done.
func At(string) {}
