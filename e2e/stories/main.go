package stories

import (
	"context"
	"fmt"
	"os"
	"testing"

	"example.com/orderflow/local/system"
)

// Main is a package's TestMain: it compiles the programs once for all tests, with flags passed to go build, and sets repo to the
// checkout and programs to the folder of the programs.
func Main(m *testing.M, repo, programs *string, flags ...string) {
	code, err := build(m, repo, programs, flags)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M, repo, programs *string, flags []string) (code int, err error) {
	if *repo, err = system.FindRepo("."); err != nil {
		return 1, err
	}
	if *programs, err = os.MkdirTemp("", "orderflow-programs-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(*programs) //nolint:errcheck // only a temporary folder is left behind
	if err := system.Build(context.Background(), *repo, *programs, flags...); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
