package client

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/orderflow/api"
)

var update = flag.Bool("update", false, "write client.gen.go")

// The client is what oapi-codegen makes of the document today. With -update it is written.
func TestTheClientIsGeneratedFromTheDocument(t *testing.T) {
	t.Parallel()
	document, made := filepath.Join(t.TempDir(), "openapi.yaml"), filepath.Join(t.TempDir(), "client.gen.go")
	if err := os.WriteFile(document, api.OpenAPI, 0o600); err != nil {
		t.Fatal(err)
	}
	generate := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../../../tools/go.mod", "oapi-codegen", "-config", "config.yaml", "-o", made, document)
	generate.Env = append(os.Environ(), "GOWORK=off")
	if output, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	want, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("client.gen.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile("client.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("api/openapi.yaml has changed since the client was generated: go test ./e2e/contract/client -update")
	}
}
