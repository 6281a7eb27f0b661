package chaos

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
)

// overlay lists files that the compiler reads in place of others (go build -overlay), so that neither the tree nor the
// toolchain is changed.
type overlay map[string]string

// flagOf returns the option of go build for some overlays, whose list is written into a folder.
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
