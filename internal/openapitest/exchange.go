package openapitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// An exchange is a request and its response. It is the response's writer, and records what is written.
type exchange struct {
	http.ResponseWriter
	request *http.Request // as the handler gets it
	sent    bytes.Buffer  // the part of the request's body that the handler has read
	status  int
	header  http.Header // as it was when the status was written
	body    bytes.Buffer
	stream  bool // the body is not recorded
}

func begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, request: r}
	if r.Body != nil && r.Body != http.NoBody {
		x.request = r.WithContext(r.Context())
		x.request.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &x.sent), r.Body}
	}
	return x
}

// WriteHeader records the final status, and the header.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status, x.header = status, x.Header().Clone()
		x.stream = mediaType(x.header) == "text/event-stream"
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if !x.stream {
		x.body.Write(p)
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap is used by [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// accepted reports whether the handler has done what the request asks for.
func (x *exchange) accepted() bool { return x.status < http.StatusBadRequest }

// sentRequest returns the request with its body, for validation; ok is false if the library cannot validate it. The bridge reads
// JSON without a media type, ignores a byte order mark, and passes on numbers that no float64 holds.
func (x *exchange) sentRequest() (r *http.Request, ok bool) {
	body := bytes.TrimPrefix(x.sent.Bytes(), []byte("\uFEFF"))
	var value any
	if len(body) > 0 && json.Unmarshal(body, &value) != nil {
		return nil, false
	}
	r = x.request.Clone(x.request.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, true
}

// responseWith returns the response with a body, for validation.
func (x *exchange) responseWith(body []byte) *http.Response {
	return &http.Response{
		StatusCode: x.status, Header: x.header, Request: x.request,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
