//go:build !failpoint

// Package failpoint names the points at which a program may die, without anything lost or done twice: between two steps of
// which one cannot be undone. A program that is built with the tag failpoint can be made to die at such a point; e2e/crash
// does so at each of them. In any other build At is empty and leaves nothing in the program, which e2e checks
// (docs/adr/0027).
package failpoint

// At does nothing. Its argument, a literal that is used once, says what has just been done.
func At(string) {}
