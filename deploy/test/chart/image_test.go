package chart

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// A source is a package in the output of go list -json.
type source struct {
	Dir                 string
	Module              *struct{ Main bool }
	GoFiles, EmbedFiles []string
}

// The build context has the program's sources, and nothing that might be secret or large.
func TestBuildContextHasOnlySources(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(string(file(t, root+"/.dockerignore"))))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	check := func(path string, want bool) {
		t.Helper()
		if is, err := ignored.MatchesOrParentMatches(path); err != nil || is != want {
			t.Errorf("%s: ignored %v, want %v (%v)", path, is, want, err)
		}
	}
	for _, path := range []string{".git/config", "data/store.lock", "README.md", "deploy/test/go.mod", "cmd/torture/main.go", "mkio-bridge", ".env", "internal/mkio/testdata/x.json", "cmd/bridge/v1_test.go"} {
		check(path, true)
	}
	for _, path := range append(sources(t), "go.mod", "go.sum") {
		check(path, false)
	}
}

// sources returns the program's source and embedded files, relative to the root.
func sources(t *testing.T) (files []string) {
	t.Helper()
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", "./cmd/bridge")
	list.Dir = base
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var s source
		if err := decoder.Decode(&s); err != nil {
			t.Fatal(err)
		}
		if s.Module == nil || !s.Module.Main {
			continue
		}
		for _, name := range append(s.GoFiles, s.EmbedFiles...) {
			path, err := filepath.Rel(base, filepath.Join(s.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.ToSlash(path))
		}
	}
	if len(files) < 50 {
		t.Fatalf("found only %d source files", len(files))
	}
	return files
}

// Kubernetes, the chart and users of the image rely on these properties.
func TestDockerfile(t *testing.T) {
	text := string(file(t, root+"/Dockerfile"))
	for want, why := range map[string]string{
		`(?m)^USER 65532:65532$`:                                    "runAsNonRoot can only be verified for a numeric user",
		`(?m)^FROM gcr\.io/distroless/static-debian12:nonroot$`:     "the image has only the program",
		`(?m)^ENTRYPOINT \["/mkio-bridge"\]$`:                       "arguments and signals reach the program",
		`(?m)^HEALTHCHECK .*CMD \["/mkio-bridge", "healthcheck"\]$`: "the image has no shell",
		`-X main\.buildVersion=\$VERSION`:                           "the context has no .git",
		`(?m)^COPY .*--chown=65532:65532 /out/data /data$`:          "a new volume inherits its owner from the image",
		`CGO_ENABLED=0`: "static",
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the Dockerfile has no %s: %s", want, why)
		}
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(file(t, root+"/go.mod")))[1]
	if !strings.Contains(text, "golang:"+goVersion+"-") {
		t.Errorf("go.mod requires Go %s, the Dockerfile has another version", goVersion)
	}
	app := regexp.MustCompile(`buildVersion string`)
	if !app.Match(file(t, root+"/cmd/bridge/version.go")) {
		t.Error("cmd/bridge has no variable buildVersion for the linker to set")
	}
}
