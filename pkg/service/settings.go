package service

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// mistakes returns what is wrong with the settings, one mistake a line, each with the name of its variable.
func mistakes(program string, cfg any, err error) string {
	all := env.AggregateError{Errors: []error{err}}
	if several, ok := errors.AsType[env.AggregateError](err); ok {
		all = several
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the settings are not right:\n", program)
	for _, err := range all.Errors {
		if e, ok := errors.AsType[env.ParseError](err); ok { // it names the field, which is known only in the code
			fmt.Fprintf(&b, "  %s: %v\n", strings.Join(variables(reflect.TypeOf(cfg), "", e.Name), " or "), e.Err)
			continue
		}
		fmt.Fprintf(&b, "  %v\n", err)
	}
	return b.String()
}

// variables lists the environment variables of the fields with a name, anywhere in a config.
func variables(t reflect.Type, prefix, field string) (names []string) {
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("env"), ","); name != "" && f.Name == field {
			names = append(names, prefix+name)
		}
		if f.Type.Kind() == reflect.Struct {
			names = append(names, variables(f.Type, prefix+f.Tag.Get("envPrefix"), field)...)
		}
	}
	return names
}
