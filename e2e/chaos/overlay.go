package chaos

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
)

// overlay lists files that the compiler reads in place of others (go build -overlay). So neither the tree nor the toolchain
// is changed.
type overlay map[string]string

// flagOf writes the list of some overlays into a folder and returns the option of go build for it.
func flagOf(dir string, all ...overlay) (string, error) {
	files := overlay{}
	for _, o := range all {
		maps.Copy(files, o)
	}
	list, err := json.Marshal(map[string]overlay{"Replace": files})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return "-overlay=" + path, os.WriteFile(path, list, 0o600)
}
