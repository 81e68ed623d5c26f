package install

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A releaseConfig is what these tests read of .goreleaser.yaml.
type releaseConfig struct {
	Builds []struct {
		Main    string
		Targets []string
	}
	Archives []struct{ Files []string }
	Nfpms    []struct {
		Contents []struct{ Src, Dst, Type string }
		Scripts  map[string]string
	}
}

func releases(t *testing.T) (c releaseConfig) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, root+"/.goreleaser.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Builds) != 1 || len(c.Archives) != 1 || len(c.Nfpms) != 1 {
		t.Fatalf(".goreleaser.yaml has %d builds, %d archives, %d packages", len(c.Builds), len(c.Archives), len(c.Nfpms))
	}
	return c
}

// What is released is what every change is built for.
func TestReleasesAreOfTheSupportedPlatforms(t *testing.T) {
	platforms := regexp.MustCompile(`(?m)^PLATFORMS := (.*)$`).FindStringSubmatch(read(t, root+"/Makefile"))[1]
	want := append(strings.Fields(strings.ReplaceAll(platforms, "/", "_")), "linux_amd64")
	got := releases(t).Builds[0].Targets
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("released: %v; built by make cross, and linux_amd64: %v", got, want)
	}
}

// Release files are made seldom; a file that was moved is found here.
func TestReleasedFilesExist(t *testing.T) {
	c := releases(t)
	files := c.Archives[0].Files
	for _, content := range c.Nfpms[0].Contents {
		if content.Type != "dir" {
			files = append(files, content.Src)
		}
	}
	for _, path := range c.Nfpms[0].Scripts {
		files = append(files, path)
		if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s is not executable", path)
		}
	}
	for _, pattern := range files {
		if strings.HasPrefix(pattern, "generated/") { // by make documents
			continue
		}
		if found, err := filepath.Glob(filepath.Join(root, pattern)); err != nil || len(found) == 0 {
			t.Errorf("no file is %s (%v)", pattern, err)
		}
	}
}

// A package whose settings were not a configuration file would overwrite those of the administrator.
func TestPackageKeepsSettings(t *testing.T) {
	for _, content := range releases(t).Nfpms[0].Contents {
		if content.Dst == "/etc/mkio-bridge/mkio-bridge.env" && content.Type == "config|noreplace" {
			return
		}
	}
	t.Error("mkio-bridge.env is no configuration file of the package")
}
