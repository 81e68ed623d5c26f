// Package openapitest lets tests validate requests and responses against schemas/openapi.yaml. [Check] wraps a handler, so that
// each test that serves it also tests the document. [Main] reports what they found.
//
// A response is validated with its status, headers and body: a member, a header or a status that the document does not describe
// is an error. A request is validated if it is accepted: what the bridge refuses may be anything. Of a stream, the
// status and the headers are validated.
package openapitest

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	"github.com/pb33f/libopenapi/datamodel"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/index"

	"mkio-bridge/schemas"
)

// Check returns a handler that responds as next does. The tests of the package fail if the document does not describe one of its
// responses, or a request that it accepts. TestMain must call [Main].
func Check(next http.Handler) http.Handler {
	d, err := load()
	if err != nil {
		panic(err)
	}
	if !found.reported {
		panic("TestMain does not call openapitest.Main: nothing would report the problems")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := begin(w, r)
		next.ServeHTTP(x, x.request)
		for _, problem := range d.problems(x) {
			found.add(fmt.Sprintf("%s %s is answered %d: %s", r.Method, r.URL.Path, x.status, problem))
		}
	})
}

// found are the problems of all handlers that [Check] returned. A response can end after its test: so a test cannot report them.
var found findings

type findings struct {
	reported bool // [Main] was called, before any test
	mu       sync.Mutex
	problems map[string]bool
}

func (f *findings) add(problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problems == nil {
		f.problems = map[string]bool{}
	}
	f.problems[problem] = true
}

// report prints the problems, and says whether there are any.
func (f *findings) report() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, problem := range slices.Sorted(maps.Keys(f.problems)) {
		fmt.Fprintf(os.Stderr, "schemas/%s does not describe what a test saw: %s\n", schemas.OpenAPI, problem)
	}
	return len(f.problems) > 0
}

// Main runs the tests of a package, and reports the problems that [Check] has found in them. It does not return.
func Main(m *testing.M) {
	found.reported = true
	code := m.Run()
	if found.report() {
		code = max(code, 1)
	}
	os.Exit(code)
}

// Validate returns what is wrong with the document itself.
func Validate() (problems []string, err error) {
	d, err := load()
	if err != nil {
		return nil, err
	}
	_, wrong := d.responses.ValidateDocument()
	return messages(wrong), nil
}

// A document is the OpenAPI document with what validates against it.
type document struct {
	model     *v3.Document
	responses validator.Validator // of bodies and headers; an undescribed member is an error
	requests  validator.Validator // security is the handlers' matter: tests have their own

	unnamedHeaders []string // in lower case: those that responses may have without a description of each
}

// freeForm are places in responses whose objects have members that the document does not name: events, which their own schema
// describes completely, and maps.
var freeForm = []string{"$.body.event", "$.body.**.event", "$.body.body", "$.body.local.settings", "$.body.resources.inMotion", "$.body.resources.known"}

var load = sync.OnceValues(func() (*document, error) {
	root, err := parse()
	if err != nil {
		return nil, err
	}
	built, err := root.BuildV3Model()
	if err != nil {
		return nil, err
	}
	options := []config.Option{
		config.WithFormatAssertions(), config.WithoutSecurityValidation(), config.WithBodyDecoder(linesOfJSON, content.JSONDecoder()), config.WithBodyDecoder("application/schema+json", opaque),
	}
	strict := append(options, config.WithStrictMode(), config.WithStrictIgnorePaths(freeForm...), config.WithStrictIgnoredHeadersExtra(
		"content-encoding", "mkio-bridge-instance", "mkio-bridge-version",
		"x-content-type-options", "content-security-policy", "referrer-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"))
	d := &document{model: &built.Model, requests: validator.NewValidatorFromV3Model(&built.Model, options...)}
	d.responses = validator.NewValidatorFromV3Model(&built.Model, strict...)
	d.responses.SetDocument(root)
	d.unnamedHeaders = config.NewValidationOptions(strict...).GetEffectiveStrictIgnoredHeaders()
	return d, nil
})

// withoutID matches the $id of a schema. It is a URN, against which the library would resolve the schema's own references.
var withoutID = regexp.MustCompile(`(?m)^  "\$id": ".*",\n`)

// opaque decodes nothing: a JSON Schema is what it is.
var opaque = content.DecoderFunc(func(*content.DecodeInput) (any, error) { return nil, nil })

// parse reads the document. The files that it refers to are beside it.
func parse() (libopenapi.Document, error) {
	files := fstest.MapFS{}
	for _, name := range schemas.Names() {
		text, err := schemas.Read(name)
		if err != nil {
			return nil, err
		}
		files[name] = &fstest.MapFile{Data: withoutID.ReplaceAll(text, nil)}
	}
	local, err := index.NewLocalFSWithConfig(&index.LocalFSConfig{BaseDirectory: ".", DirFS: files})
	if err != nil {
		return nil, err
	}
	c := datamodel.NewDocumentConfiguration()
	c.AllowFileReferences, c.BasePath, c.SpecFilePath, c.LocalFS = true, ".", schemas.OpenAPI, local
	return libopenapi.NewDocumentWithConfiguration(files[schemas.OpenAPI].Data, c)
}
