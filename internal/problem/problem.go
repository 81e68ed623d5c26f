// Package problem writes the errors of both HTTP listeners, as RFC 9457 application/problem+json.
package problem

import (
	"encoding/json"
	"net/http"
)

// Write answers with a problem document. detail says what failed and what to do.
func Write(w http.ResponseWriter, status int, detail string) {
	WriteDocument(w, status, NewDocument(status, detail))
}

// A Document is the body of a problem. Whoever has more to say embeds it.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// NewDocument returns the document that [Write] answers with.
func NewDocument(status int, detail string) Document {
	return Document{"about:blank", http.StatusText(status), status, detail}
}

// WriteDocument answers with a document, or with an object that embeds one.
func WriteDocument(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The connection may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(document)
}
