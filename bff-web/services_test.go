package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/client"
)

// A developer who adds a service gives its address, and might forget its queues and dead letters.
func TestTheConsoleShowsEveryServiceThatHasAnAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var shown []string
	for _, s := range f.site.services {
		shown = append(shown, s.name)
	}
	for field := range reflect.TypeFor[config]().Fields() {
		name := strings.ToLower(strings.TrimSuffix(field.Tag.Get("env"), "_URL"))
		if field.Type != reflect.TypeFor[client.URLs]() || strings.HasPrefix(name, "gateway") || slices.Contains([]string{"simulator", "laboratory"}, name) {
			continue
		}
		if !slices.Contains(shown, name) {
			t.Errorf("%s is the address of a service that the console does not show", field.Tag.Get("env"))
		}
		for _, queue := range []string{".commands", ".commands.dead", ".events", ".events.dead"} {
			if !slices.Contains(f.site.queues(), name+queue) {
				t.Errorf("the console does not look at %s", name+queue)
			}
		}
		shown = slices.DeleteFunc(shown, func(s string) bool { return s == name })
	}
	if len(shown) > 0 {
		t.Errorf("shown without an address: %v", shown)
	}
}
