package ingest

import (
	"mime"
	"net/http"
	"strings"
)

// jsonContent reports whether the headers allow uncompressed JSON. A request without these headers passes, because the body
// is parsed anyway.
func jsonContent(h http.Header) bool {
	for _, coding := range h.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return false
		}
	}
	for _, value := range h["Content-Type"] {
		if value == "application/json" { // the usual case, without parsing
			continue
		}
		media, err := mediaType(value)
		json := media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
		if value != "" && (err != nil || !json) {
			return false
		}
	}
	return true
}

// mediaType parses the media type of a Content-Type. It ignores parameters without a value (application/json;charset), which
// some senders write and mime rejects.
func mediaType(value string) (string, error) {
	media, _, err := mime.ParseMediaType(value)
	if err == nil {
		return media, nil
	}
	base, parameters, _ := strings.Cut(value, ";")
	parts := []string{base}
	for parameter := range strings.SplitSeq(parameters, ";") {
		if !bareParameter(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(parameter), "="))) {
			parts = append(parts, parameter)
		}
	}
	media, _, err = mime.ParseMediaType(strings.Join(parts, ";"))
	return media, err
}

// bareParameter reports whether text is a parameter name without a value.
func bareParameter(text string) bool {
	_, _, err := mime.ParseMediaType("a/b;" + text + "=c")
	return text != "" && err == nil
}
