// Package static is what browsers load besides the pages: styles, scripts and the icon.
package static

import "embed"

// Files are all of it.
//
//go:embed *.css *.js *.svg
var Files embed.FS
