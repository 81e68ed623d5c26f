package bridgetest

import (
	"fmt"
	"strconv"
	"strings"
)

// SmugglingRequests returns requests for request smuggling, by name. Each is the bytes of one request followed by second,
// which is an authenticated delivery. Each has an interpretation in which second is part of the first request, so second
// must never be handled as a request.
func SmugglingRequests(secret, second string) map[string]string {
	outer := "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\nX-Webhook-Secret: " + secret + "\r\n"
	const unauthenticated = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	const te = "Transfer-Encoding: chunked\r\n"
	const lastChunk = "0\r\n\r\n"
	wholeLength := length(len(lastChunk + second))
	shapes := map[string]string{
		"a length, then chunks":                      outer + wholeLength + te + "\r\n" + lastChunk + second,
		"chunks, then a length":                      outer + te + wholeLength + "\r\n" + lastChunk + second,
		"chunks, and another length":                 outer + te + length(4) + "\r\n" + lastChunk + second,
		"two lengths":                                outer + length(2) + length(2+len(second)) + "\r\n{}" + second,
		"two lengths, the longer first":              outer + length(2+len(second)) + length(2) + "\r\n{}" + second,
		"the same length twice":                      outer + length(2) + length(2) + "\r\n{}" + second,
		"a list of lengths":                          outer + fmt.Sprintf("Content-Length: 2, %d\r\n\r\n{}", 2+len(second)) + second,
		"a length with a sign":                       outer + "Content-Length: +2\r\n\r\n{}" + second,
		"a negative length":                          outer + "Content-Length: -2\r\n\r\n{}" + second,
		"a length in hex":                            outer + "Content-Length: 0x2\r\n\r\n{}" + second,
		"a length with an underscore":                outer + "Content-Length: 0_2\r\n\r\n{}" + second,
		"an empty length":                            outer + "Content-Length:\r\n\r\n{}" + second,
		"a length beyond 63 bits":                    outer + "Content-Length: 18446744073709551618\r\n\r\n{}" + second,
		"a length and a blank before colon":          outer + "Content-Length : 2\r\n" + te + "\r\n" + lastChunk + second,
		"a folded length":                            outer + "Content-Length:\r\n 2\r\n\r\n{}" + second,
		"an unknown coding":                          outer + "Transfer-Encoding: xchunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"chunks twice":                               outer + te + te + "\r\n" + lastChunk + second,
		"chunks, then identity":                      outer + te + "Transfer-Encoding: identity\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a list of codings":                          outer + "Transfer-Encoding: chunked, identity\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a list that ends in chunks":                 outer + "Transfer-Encoding: identity, chunked\r\n\r\n" + lastChunk + second,
		"chunks behind a tabulator":                  outer + "Transfer-Encoding:\tchunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"chunks behind a vertical tabulator":         outer + "Transfer-Encoding:\vchunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"chunks in quotes":                           outer + "Transfer-Encoding: \"chunked\"\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"chunks and a parameter":                     outer + "Transfer-Encoding: chunked;q=1\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a blank before the colon":                   outer + "Transfer-Encoding : chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a name with a NUL":                          outer + "Transfer-Encoding\x00: chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a folded coding":                            outer + "Transfer-Encoding:\r\n chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a coding in a folded line":                  outer + "X: a\r\n Transfer-Encoding: chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a fold before all headers":                  "POST " + webhookPath + " HTTP/1.1\r\n X: a\r\n" + strings.SplitN(outer, "\r\n", 2)[1] + length(0) + "\r\n" + second,
		"a coding behind a bare CR":                  outer + "X: a\rTransfer-Encoding: chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a coding behind a bare LF":                  outer + "X: a\nTransfer-Encoding: chunked\r\n" + wholeLength + "\r\n" + lastChunk + second,
		"a length behind a bare LF":                  outer + "X: a\nContent-Length: 0\r\n\r\n" + second,
		"a header that two bare LFs end":             outer + "Content-Length: 0\r\nX: a\n\n" + second,
		"bare LFs alone":                             strings.ReplaceAll(outer, "\r\n", "\n") + "Content-Length: 0\n\n" + second,
		"chunks in HTTP/1.0":                         strings.Replace(outer, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + te + "\r\n" + lastChunk + second,
		"chunks and a length in HTTP/1.0":            strings.Replace(outer, "1.1", "1.0", 1) + "Connection: keep-alive\r\nContent-Length: 5\r\n" + te + "\r\n" + lastChunk + second,
		"no host":                                    strings.Replace(outer, "Host: bridge\r\n", "", 1) + length(len(second)) + "\r\n" + second,
		"two hosts":                                  outer + "Host: other\r\n" + length(len(second)) + "\r\n" + second,
		"an unauthenticated body":                    unauthenticated + length(len(second)) + "\r\n" + second,
		"an unauthenticated body that waits for 100": unauthenticated + "Expect: 100-continue\r\n" + length(len(second)) + "\r\n" + second,
		"unauthenticated chunks":                     unauthenticated + te + "\r\n" + chunked(second),
		"the body of an unknown path":                "GET / HTTP/1.1\r\nHost: bridge\r\n" + length(len(second)) + "\r\n" + second,
		"the body of another method":                 strings.Replace(outer, "POST", "PUT", 1) + length(len(second)) + "\r\n" + second,
		"the body of a handshake":                    strings.Replace(unauthenticated, "POST", "OPTIONS", 1) + length(len(second)) + "\r\n" + second,
		"the body of another content type":           strings.Replace(outer, "application/json", "text/plain", 1) + "Connection: close\r\n" + length(len(second)) + "\r\n" + second,
		"a tunnel":                                   "CONNECT bridge:80 HTTP/1.1\r\nHost: bridge:80\r\n\r\n" + second,
		"the preface of HTTP/2":                      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + second,
		"an unknown version":                         strings.Replace(outer, "1.1", "1.2", 1) + "Connection: keep-alive\r\n" + te + "\r\n" + lastChunk + second,
	}
	for name, chunks := range map[string]string{
		"ended by bare LFs":            "2\n{}\n0\n\n",
		"with a size in other digits":  "2\r\n{}\r\n0x0\r\n\r\n",
		"with a signed size":           "2\r\n{}\r\n+0\r\n\r\n",
		"with a size beyond 64 bits":   "2\r\n{}\r\n10000000000000000\r\n\r\n",
		"with a wrong size":            "1\r\n{}\r\n0\r\n\r\n",
		"with a blank before the size": "2\r\n{}\r\n 0\r\n\r\n",
		"with a bare LF in extensions": "2;a\nb\r\n{}\r\n0\r\n\r\n",
		"with a bare CR in extensions": "2;a\rb\r\n{}\r\n0\r\n\r\n",
		"without a size":               "2\r\n{}\r\n\r\n\r\n",
		"with a header behind":         "2\r\n{}\r\n0\r\nContent-Length: " + strconv.Itoa(len(second)) + "\r\n\r\n",
		"with a folded header behind":  "2\r\n{}\r\n0\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n",
		"with a LF for a header":       "2\r\n{}\r\n0\r\nX: a\n\n",
		"that are valid":               "2\r\n{}\r\n0\r\n\r\n",
	} {
		shapes["chunks "+name] = outer + te + "\r\n" + chunks + second
	}
	return shapes
}

func chunked(body string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}
