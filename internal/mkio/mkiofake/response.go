package mkiofake

import (
	"net/http"
	"strconv"
	"time"
)

// A response is one response of the API.
type response struct {
	status  int
	header  http.Header
	body    []byte
	cutAt   int              // bytes after which the connection breaks; 0: it does not
	current []*trackedChange // changes that it shows as current
}

// jsonResponse returns a success.
func jsonResponse(status int, body []byte, current ...*trackedChange) response {
	return response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body, current: current}
}

// errorCodes are the codes of an error's body by status. MK.IO does not document any.
var errorCodes = map[int]string{
	http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden",
	http.StatusNotFound: "NotFound", http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusTooManyRequests: "TooManyRequests",
	http.StatusInternalServerError: "InternalServerError", http.StatusServiceUnavailable: "ServiceUnavailable",
}

// errorResponse returns an error with MK.IO's standard body.
func errorResponse(status int, detail string) response {
	return jsonResponse(status, encode(object{
		"error":  object{"code": errorCodes[status], "detail": detail, "extraDetail": object{}},
		"status": status, "ref": idOf("ref", detail),
	}))
}

// badRequest returns the response to an invalid request.
func badRequest(err error) response {
	return errorResponse(http.StatusBadRequest, upperFirst(err.Error())+".")
}

// gatewayError is the error page of a gateway in front of MK.IO.
func gatewayError() response {
	return response{
		status: http.StatusBadGateway, header: http.Header{"Content-Type": {"text/html"}},
		body: []byte("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\n"),
	}
}

// withDate sets the Date, unless a cache has set or removed it.
func (a response) withDate(now time.Time) response {
	if _, stored := a.header["Date"]; !stored {
		a.header.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	if a.status != http.StatusNoContent {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	return a
}
