// Package templates is the text of the pages: each file is a page within layout.html, and parts has what several pages show.
package templates

import "embed"

// Files are the pages, and parts/ with their parts.
//
//go:embed *.html parts/*.html
var Files embed.FS
