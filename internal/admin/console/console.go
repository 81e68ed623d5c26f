// Package console is the web console: static files that the admin listener serves below /console/. They hold no data. What the
// pages show they request from /v1, with the session of the person who looks, and below the same address: relative links survive
// a base path that a proxy removes.
//
// There is no build step: the files of static/ are served as they are.
//
//	index.html, main.js    the page and its shell: menu, heading, repeated requests, what is shown without an answer
//	screens.js, screens/   the table of screens, and a module for each
//	address.js             filters, periods and selections in the query string
//	api.js, jobs.js        requests to /v1; tasks that run in the bridge
//	worker.js, stream.js   the event stream that all tabs share, and a tab's end of it
//	timeline.js, strip.js  drawings: the states of a resource, the coverage of a period
//	parts.js, format.js    what several screens use; stored.js shows payloads as they are stored
//	signin.js              turns a token into a session
//	vendor/                the only library, lit-html
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"mkio-bridge/internal/problem"
)

//go:embed static
var embedded embed.FS

// Files are the static files, by their path below /console/.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the path is valid
	}
	return files
}

// A Mux is what [Register] needs of an [http.ServeMux].
type Mux interface {
	Handle(pattern string, handler http.Handler)
}

// Register adds the console's routes: /console/ with its files, and redirects to it from / and /console. The redirects are
// relative, because a proxy may have removed a base path.
func Register(mux Mux) {
	mux.Handle("GET /{$}", redirect("console/"))
	mux.Handle("GET /console", redirect("console/"))
	mux.Handle("GET /console/{file...}", newHandler())
}

func redirect(to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to) // http.Redirect would make it absolute
		w.WriteHeader(http.StatusFound)
	})
}

// A file is a static file as it is served.
type file struct {
	mediaType, etag string
	plain, gzipped  []byte
}

type handler map[string]file

func newHandler() handler {
	h := handler{}
	files := Files()
	_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error { // embedded files can be read
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		h[name] = newFile(name, content)
		return nil
	})
	h[""] = h["index.html"]
	return h
}

func newFile(name string, content []byte) file {
	digest := sha256.Sum256(content)
	return file{mediaTypeOf(name), `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`, content, compress(content)}
}

// mediaTypeOf does not ask the system's table, in which a type may be missing or another.
func mediaTypeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "text/plain; charset=utf-8"
	}
}

func compress(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(content)                               // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// ServeHTTP serves a file, or 304 if the client has it: browsers ask each time (no-cache), so that a new version of the bridge is
// seen at once.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := h[r.PathValue("file")]
	if !ok {
		problem.Write(w, http.StatusNotFound, "the console has no such file: its page is /console/")
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.mediaType)
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", f.etag)
	content := f.plain
	if acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		header.Set("ETag", strings.TrimSuffix(f.etag, `"`)+`-gzip"`)
		content = f.gzipped
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimSpace(parameters), "q=0.") != "" || parameters == "" // q=0 refuses it
		}
	}
	return false
}
