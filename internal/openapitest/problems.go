package openapitest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

const (
	linesOfJSON = "application/x-ndjson"
	problemJSON = "application/problem+json"
)

// problems returns what the document does not say about an exchange.
func (d *document) problems(x *exchange) (problems []string) {
	if x.status == 0 {
		x.status, x.header = http.StatusOK, x.Header()
	}
	if x.request.Method == http.MethodHead { // the same as GET, without a body
		return nil
	}
	item, _, _ := paths.FindPath(x.request, d.model, nil)
	operation := operationOf(item, x.request.Method)
	if operation == nil || x.notServed() {
		return undescribed(x)
	}
	if x.accepted() {
		problems = d.undescribedParameters(x.request, item, operation)
		if request, ok := x.sentRequest(); ok {
			_, wrong := d.requests.ValidateHttpRequestSync(request)
			problems = append(problems, messages(wrong)...)
		}
	}
	described := operation.Responses.Codes.GetOrZero(strconv.Itoa(x.status))
	if described != nil && orderedmap.Len(described.Content) == 0 && x.body.Len() > 0 {
		problems = append(problems, fmt.Sprintf("the response has no body, and this one is %q", x.body.Bytes()))
	}
	if described != nil && orderedmap.Len(described.Headers) == 0 { // then the library looks at no headers
		problems = append(problems, d.undescribedHeaders(x.header)...)
	}
	for _, body := range x.documents() {
		response := x.responseWith(body)
		_, wrong := d.responses.ValidateHttpResponse(x.request, response)
		_ = response.Body.Close() // it is in memory
		problems = append(problems, messages(wrong)...)
	}
	return problems
}

// undescribed returns what is wrong with the response to a request that the document does not describe: it must be an error, and
// say so as a problem document.
func undescribed(x *exchange) []string {
	switch {
	case x.accepted() && x.status < http.StatusMultipleChoices:
		return []string{"it describes no such request"}
	case !x.accepted() && mediaType(x.header) != problemJSON:
		return []string{"the error is " + x.header.Get("Content-Type") + ", not " + problemJSON}
	}
	return nil
}

// notServed reports whether no route serves the request: each listener has its own, /v1 is not served everywhere, and a path
// with dots is redirected.
func (x *exchange) notServed() bool {
	if x.status == http.StatusNotFound {
		return bytes.Contains(x.body.Bytes(), []byte(`"endpoint not found`))
	}
	return x.status/100 == 3 && path.Clean(x.request.URL.Path) != x.request.URL.Path
}

// documents returns the parts of the response's body to be validated: each line of lines of JSON, else the whole.
func (x *exchange) documents() [][]byte {
	if mediaType(x.header) != linesOfJSON {
		return [][]byte{x.body.Bytes()}
	}
	var lines [][]byte
	for line := range bytes.Lines(x.body.Bytes()) {
		lines = append(lines, line)
	}
	return lines
}

// undescribedParameters returns the parameters in the query of an accepted request that the document does not name.
func (d *document) undescribedParameters(r *http.Request, item *v3.PathItem, operation *v3.Operation) (problems []string) {
	named := map[string]bool{}
	for _, parameters := range [][]*v3.Parameter{item.Parameters, operation.Parameters} {
		for _, p := range parameters {
			named[p.Name] = p.In == "query"
		}
	}
	for scheme := range d.model.Components.SecuritySchemes.ValuesFromOldest() {
		named[scheme.Name] = named[scheme.Name] || scheme.In == "query"
	}
	for name := range r.URL.Query() {
		if !named[name] {
			problems = append(problems, "it has no parameter "+name)
		}
	}
	return problems
}

// undescribedHeaders returns the headers of a response that the document would have to describe.
func (d *document) undescribedHeaders(header http.Header) (problems []string) {
	for name := range header {
		if !slices.Contains(d.unnamedHeaders, strings.ToLower(name)) {
			problems = append(problems, "the response has no header "+name)
		}
	}
	return problems
}

func operationOf(item *v3.PathItem, method string) *v3.Operation {
	if item == nil {
		return nil
	}
	return map[string]*v3.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete,
		http.MethodOptions: item.Options,
	}[method]
}

func mediaType(header http.Header) string {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

func messages(all []*errors.ValidationError) (texts []string) {
	for _, e := range all {
		texts = append(texts, e.Error())
	}
	return texts
}
