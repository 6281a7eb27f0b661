package main

import "slices"

// links returns the links at the foot of each page that are the same for all visitors.
func (c config) links() []link {
	all := []link{{"Documentation", c.DocsURL}, {"Source", c.SourceURL}, {"API", "/docs/api"}}
	return slices.DeleteFunc(all, func(l link) bool { return l.Address == "" })
}
