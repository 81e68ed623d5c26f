package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mkio-bridge/internal/bridgetest"
)

// An overlay has source files, by path, that replace those on disk in a build.
type overlay map[string]string

// build compiles a program and returns its path. With clocks, its wall clock can be stepped. A program with an overlay is
// built into dir.
func build(ctx context.Context, dir, pkg string, o overlay, clocks bool) (string, error) {
	if len(o) == 0 && !clocks {
		return bridgetest.Build(ctx, "", pkg)
	}
	path := filepath.Join(dir, filepath.Base(strings.TrimSuffix(pkg, "/v2")))
	args, packages := []string{"build", "-o", path}, []string{pkg}
	if clocks {
		if err := o.makeClockSteppable(ctx); err != nil {
			return "", err
		}
		var err error
		if packages, err = o.withClockReader(ctx, path+"-source", pkg); err != nil {
			return "", err
		}
	}
	file, err := o.write(dir)
	if err != nil {
		return "", err
	}
	args = append(args, "-overlay", file)
	if out, err := exec.CommandContext(ctx, "go", append(args, packages...)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// withClockReader adds clockReader to a program and returns the packages or files to build. A program of another module
// cannot be overlaid: its files are copied.
func (o overlay) withClockReader(ctx context.Context, dir, pkg string) ([]string, error) {
	from, err := goCommand(ctx, "list", "-f", "{{.Dir}}", pkg)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(pkg, "mkio-bridge/") {
		o[filepath.Join(from, "clock_step.go")] = clockReader
		return []string{pkg}, nil
	}
	names, err := goCommand(ctx, "list", "-f", `{{join .GoFiles " "}}`, pkg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files := []string{filepath.Join(dir, "clock_step.go")}
	if err := os.WriteFile(files[0], []byte(clockReader), 0o600); err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(names) {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return nil, err
		}
		files = append(files, to)
	}
	return files, nil
}

// write writes the files and the overlay description for the compiler, and returns its path.
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

// edit replaces old, which must occur exactly once in a file, in the overlay.
func (o overlay) edit(path, old, replacement string) error {
	content, ok := o[path]
	if !ok {
		read, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content = string(read)
	}
	if strings.Count(content, old) != 1 {
		return fmt.Errorf("%s: %q does not occur exactly once", path, old)
	}
	o[path] = strings.Replace(content, old, replacement, 1)
	return nil
}

// goCommand runs the go command and returns its trimmed output.
func goCommand(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
