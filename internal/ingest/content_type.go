package ingest

import (
	"mime"
	"net/http"
	"strings"
)

// jsonContent says whether the headers promise JSON that is not compressed. The body decides what it
// is; a sender that says nothing is not turned away.
func jsonContent(h http.Header) bool {
	for _, coding := range h.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return false
		}
	}
	for _, value := range h["Content-Type"] {
		if value == "application/json" { // nearly always
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

// mediaType reads the media type of a Content-Type. Parameters without a value (application/json;charset), which some
// senders write, are passed over.
func mediaType(value string) (string, error) {
	media, _, err := mime.ParseMediaType(value)
	if err == nil {
		return media, nil
	}
	kept, parameters, _ := strings.Cut(value, ";")
	all := []string{kept}
	for parameter := range strings.SplitSeq(parameters, ";") {
		if !plainName(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(parameter), "="))) {
			all = append(all, parameter)
		}
	}
	media, _, err = mime.ParseMediaType(strings.Join(all, ";"))
	return media, err
}

// plainName says whether a text is the name of a parameter and nothing else.
func plainName(text string) bool {
	_, _, err := mime.ParseMediaType("a/b;" + text + "=c")
	return text != "" && err == nil
}
