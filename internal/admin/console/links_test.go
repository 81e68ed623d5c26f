package console

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// imports are references of a module to another one, relative to it.
var imports = []*regexp.Regexp{
	regexp.MustCompile(`\b(?:import|export)\b[^"'\x60;=()]*?\bfrom\s*["']([^"'\n]+)["']`),
	regexp.MustCompile(`\bimport\s*\(?\s*["']([^"'\n]+)["']`),
	regexp.MustCompile(`new URL\(\s*["']([^"'\n]+\.js)["'],\s*import\.meta\.url`),
	regexp.MustCompile(`url\(["']?([^"')#\s]+)["']?\)`),
}

// attributes are references of HTML, in the page or in a template; they are relative to the page.
var attributes = regexp.MustCompile(`(?:src|href)="([^"$?#{}]+)"`)

// referencesOf returns the paths that a file refers to, relative to the console's root.
func referencesOf(name, content string) (paths []string) {
	for _, r := range imports {
		for _, match := range r.FindAllStringSubmatch(content, -1) {
			paths = append(paths, path.Join(path.Dir(name), match[1]))
		}
	}
	for _, match := range attributes.FindAllStringSubmatch(content, -1) {
		if match[1] != "." { // the page
			paths = append(paths, match[1])
		}
	}
	return paths
}

// Every module and file that is referred to exists, and every file is used: from the page all are reached.
func TestEveryFileIsUsedAndExists(t *testing.T) {
	contents := readAll(t)
	used := map[string]bool{"index.html": true, "vendor/lit/LICENSE": true, "vendor/lit/README": true}
	for queue := []string{"index.html"}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		for _, to := range referencesOf(name, contents[name]) {
			if _, ok := contents[to]; !ok {
				t.Errorf("%s refers to %s, which does not exist", name, to)
			} else if !used[to] {
				used[to] = true
				queue = append(queue, to)
			}
		}
	}
	for name := range contents {
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d files were reached: the test no longer sees the references", len(used))
	}
}

// Nothing is loaded from another host: no address of one is in a file. Comments of the library name its licence.
func TestNoOtherHost(t *testing.T) {
	address := regexp.MustCompile(`(?i)(?:https?:|wss?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+`)
	allowed := []string{"http://www.w3.org"} // names of XML, which nothing loads
	for name, content := range readAll(t) {
		if strings.HasPrefix(name, "vendor/") {
			content = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(content, "")
		}
		if path.Ext(name) == "" {
			continue
		}
		for _, found := range address.FindAllString(content, -1) {
			if !slices.Contains(allowed, found) {
				t.Errorf("%s names another host: %s", name, found)
			}
		}
	}
}

// The library has its licence and says where it is from.
func TestLibraryHasItsLicence(t *testing.T) {
	contents := readAll(t)
	if !strings.Contains(contents["vendor/lit/LICENSE"], "BSD 3-Clause") || !strings.Contains(contents["vendor/lit/README"], "lit-html") {
		t.Error("vendor/lit lacks its licence, or the README with its version")
	}
	for name := range contents {
		if strings.HasPrefix(name, "vendor/") && !strings.HasPrefix(name, "vendor/lit/") {
			t.Errorf("%s is of a library whose licence is not checked", name)
		}
	}
}

// readAll returns the content of each file by its name.
func readAll(t *testing.T) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Files(), name)
		contents[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}
