package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// maxSize is how many bytes a browser may have to load, with all files compressed.
const maxSize = 80 << 10

// The console stays small: all its files together, compressed.
func TestSize(t *testing.T) {
	total, files := 0, 0
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Files(), name)
		size := len(compress(content))
		t.Logf("%6d %6d %s", len(content), size, name)
		total += size
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d bytes compressed", files, total)
	if total > maxSize || files < 2 {
		t.Errorf("%d files have %d bytes, at most %d are allowed", files, total, maxSize)
	}
}

// Each file is served with its type and a validator, compressed for those who take it.
func TestFiles(t *testing.T) {
	server := serve(t)
	page, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/console/", "/console/index.html"} {
		response, body := get(t, server, path, nil)
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" || !bytes.Equal(body, page) {
			t.Errorf("%s: %s, %v", path, response.Status, response.Header)
		}
		if again, _ := get(t, server, path, http.Header{"If-None-Match": {response.Header.Get("ETag")}}); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s with its ETag: %s", path, again.Status)
		}
	}
	response, body := get(t, server, "/console/index.html", http.Header{"Accept-Encoding": {"br, gzip;q=0.8"}})
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v: %v", response.Header, err)
	}
	if unpacked, err := io.ReadAll(plain); err != nil || !bytes.Equal(unpacked, page) {
		t.Errorf("%v: %q", err, unpacked)
	}
	if response, _ := get(t, server, "/console/index.html", http.Header{"Accept-Encoding": {"gzip;q=0"}}); response.Header.Get("Content-Encoding") != "" {
		t.Error("compressed for a client that refuses it")
	}
}

// Redirects are relative: a proxy may have removed a base path.
func TestRedirects(t *testing.T) {
	server := serve(t)
	for _, path := range []string{"/", "/console"} {
		if response, _ := get(t, server, path, nil); response.StatusCode != http.StatusFound || response.Header.Get("Location") != "console/" {
			t.Errorf("%s: %s to %q", path, response.Status, response.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/console/none.js", "/console/static/index.html", "/console/../console.go", "/consoles"} {
		response, body := get(t, server, path, nil)
		if response.StatusCode < 300 || strings.Contains(string(body), "package") {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	server.Client().Transport.(*http.Transport).DisableCompression = true
	return server
}

func get(t *testing.T, server *httptest.Server, path string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}
