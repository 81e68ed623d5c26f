package ingest

import (
	"net/http"
	"testing"
)

func TestContentTypeParametersWithoutValues(t *testing.T) {
	for value, want := range map[string]bool{
		"application/json;charset":                                     true,
		"application/json; charset":                                    true,
		"application/json;charset=":                                    true,
		"application/json; charset= ":                                  true,
		"application/json; charset; boundary=x":                        true,
		"application/cloudevents+json; charset":                        true,
		"application/cloudevents-batch+json;charset":                   true,
		"application/json;charset=utf-8":                               true,
		`application/json; profile="a;b"`:                              true,
		"Application/JSON;Charset":                                     true,
		"text/plain;charset":                                           false,
		"application/json; ;":                                          false,
		"application/json; =":                                          false,
		"application/json; charset utf-8":                              false,
		"application/x-www-form-urlencoded;charset":                    false,
		"application/xml; charset, application/json":                   false,
		"multipart/form-data; boundary=application/json; charset":      false,
		"text/html; application/json":                                  false,
		"application/json; charset=utf-8; charset=utf-16; charset":     false,
		"application/octet-stream; name=\"application/json\"; charset": false,
	} {
		if got := jsonContent(http.Header{"Content-Type": {value}}); got != want {
			t.Errorf("%q is JSON: %t", value, got)
		}
	}
}
