// Package problem writes the error responses of both HTTP listeners: RFC 9457 application/problem+json.
package problem

import (
	"encoding/json"
	"net/http"
)

// Write writes a problem document as the response. detail says what failed and what to do.
func Write(w http.ResponseWriter, status int, detail string) {
	WriteDocument(w, status, NewDocument(status, detail))
}

// A Document is the body of a problem. Types with more members embed it.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// NewDocument returns the document that [Write] writes.
func NewDocument(status int, detail string) Document {
	return Document{"about:blank", http.StatusText(status), status, detail}
}

// WriteDocument writes a Document, or an object that embeds one, as the response.
func WriteDocument(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // an error means that the client is gone
}
