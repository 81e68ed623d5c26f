package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	repository = "../.."
	frontPage  = repository + "/README.md"
	indexPage  = repository + "/docs/README.md"
)

// Every link of every document leads to a file of the repository, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range markdownFiles(t) {
		for _, link := range linkTargets(string(readFile(t, page))) {
			target, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if target.IsAbs() {
				continue
			}
			file := page
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(page), target.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, link)
			} else if target.Fragment != "" && !slices.Contains(headingAnchors(string(readFile(t, file))), target.Fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, link)
			}
		}
	}
}

// The index lists every page of docs.
func TestIndexIsComplete(t *testing.T) {
	listed := linkTargets(string(readFile(t, indexPage)))
	pages, err := filepath.Glob(filepath.Dir(indexPage) + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); page != filepath.Clean(indexPage) && !slices.Contains(listed, name) {
			t.Errorf("%s does not list %s", indexPage, name)
		}
	}
}

// maxFrontPage is how long README.md may be, in bytes. What does not fit belongs to a page of docs.
const maxFrontPage = 10_000

func TestFrontPageIsShort(t *testing.T) {
	if n := len(readFile(t, frontPage)); n > maxFrontPage {
		t.Errorf("README.md has %d bytes, more than %d: move something to docs", n, maxFrontPage)
	}
}

// markdownFiles returns all Markdown files of the repository, without those of other projects.
func markdownFiles(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()) {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	linkForm  = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// linkTargets returns the targets of a page's links.
func linkTargets(page string) (targets []string) {
	text := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(page, ""), "code")
	for _, link := range linkForm.FindAllStringSubmatch(text, -1) {
		targets = append(targets, link[1])
	}
	return targets
}

// headingAnchors returns the fragments that lead to a page's headings, made as GitHub makes them.
func headingAnchors(page string) (fragments []string) {
	seen := map[string]int{}
	for _, h := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
		n := seen[slug]
		seen[slug]++
		if n > 0 {
			slug += "-" + strconv.Itoa(n)
		}
		fragments = append(fragments, slug)
	}
	return fragments
}

func TestAnchors(t *testing.T) {
	is := headingAnchors("# `/v1` API\n\n```sh\n# no heading\n```\n\n## Lives: names, again?\n\n## Same\n\n### Same\n")
	if want := []string{"v1-api", "lives-names-again", "same", "same-1"}; !slices.Equal(is, want) {
		t.Errorf("%q, want %q", is, want)
	}
}

func TestLinks(t *testing.T) {
	is := linkTargets("[a](b.md#c) and `[no](link)`\n\n```sh\n[no](link)\n```\n\n[`d`](e/)")
	if want := []string{"b.md#c", "e/"}; !slices.Equal(is, want) {
		t.Errorf("%q, want %q", is, want)
	}
}
