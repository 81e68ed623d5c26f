package mkiofake

import (
	"net/http"
	"strconv"
	"time"
)

// An answer is one answer of the API.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    int      // bytes after which the connection breaks; 0: it does not
	shows  []*entry // what it shows to be so
}

// jsonAnswer is a success.
func jsonAnswer(status int, body []byte, shows ...*entry) answer {
	return answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body, shows: shows}
}

// codes are the words that stand for a status in an error's body. MK.IO lists none.
var codes = map[int]string{
	http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden",
	http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusTooManyRequests: "TooManyRequests",
	http.StatusInternalServerError: "InternalServerError", http.StatusServiceUnavailable: "ServiceUnavailable",
}

// refuse is an error with MK.IO's standard body.
func refuse(status int, detail string) answer {
	return jsonAnswer(status, encode(object{
		"error":  object{"code": codes[status], "detail": detail, "extraDetail": object{}},
		"status": status, "ref": idOf("ref", detail),
	}))
}

// badRequest refuses a request that is wrong in itself.
func badRequest(err error) answer {
	return refuse(http.StatusBadRequest, upperFirst(err.Error())+".")
}

// gatewayPage is what stands before MK.IO when MK.IO does not answer.
func gatewayPage() answer {
	return answer{
		status: http.StatusBadGateway, header: http.Header{"Content-Type": {"text/html"}},
		body: []byte("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n"),
	}
}

// dated gives an answer MK.IO's time, unless it was stored with another or with none.
func (a answer) dated(now time.Time) answer {
	if _, stored := a.header["Date"]; !stored {
		a.header.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	if a.status != http.StatusNoContent {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	return a
}
