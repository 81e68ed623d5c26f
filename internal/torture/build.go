package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The programs under torture.
const (
	bridgePackage = "mkio-bridge/cmd/bridge"
	serverPackage = "github.com/nats-io/nats-server/v2"
)

// An overlay is a set of source files to build with instead of those on disk, by path.
type overlay map[string]string

// build compiles a program into a directory.
func build(ctx context.Context, dir, pkg string, o overlay) (string, error) {
	path := filepath.Join(dir, filepath.Base(strings.TrimSuffix(pkg, "/v2")))
	args := []string{"build", "-o", path}
	if len(o) > 0 {
		file, err := o.write(dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", file)
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, pkg)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// write puts the files where the compiler finds them.
func (o overlay) write(dir string) (string, error) {
	replace := map[string]string{}
	for path, content := range o {
		file, err := os.CreateTemp(dir, "*.go")
		if err != nil {
			return "", err
		}
		_, err = file.WriteString(content)
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return "", err
		}
		replace[path] = file.Name()
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, content, 0o600)
}

// edit adds a file to an overlay with a piece of it replaced, which must be there once.
func (o overlay) edit(path, from, to string) error {
	content, ok := o[path]
	if !ok {
		read, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content = string(read)
	}
	if strings.Count(content, from) != 1 {
		return fmt.Errorf("%s: %q is not there once", path, from)
	}
	o[path] = strings.Replace(content, from, to, 1)
	return nil
}

// goCommand asks the go command for one line.
func goCommand(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
