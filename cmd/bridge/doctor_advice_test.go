package main

import (
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strconv"
	"strings"
	"testing"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
)

// codesWithCause are the codes whose findings always have a cause with its own advice.
var codesWithCause = []doctor.Code{doctor.StreamUnlimited, doctor.WritesRefused, doctor.IdentityMismatch, doctor.RightMissing}

// The doctor knows no settings: cmd/bridge has the advice for each of its codes.
func TestEachDoctorCodeHasAdvice(t *testing.T) {
	codes := doctorCodes(t)
	for _, code := range codesWithCause {
		delete(codes, code)
	}
	for code := range codes {
		if codeAdvice[code] == "" {
			t.Errorf("%s has no advice", code)
		}
	}
	for code := range codeAdvice {
		if !codes[code] {
			t.Errorf("%s is no code without a cause", code)
		}
	}
}

// doctorCodes parses the constants of package doctor.
func doctorCodes(t *testing.T) map[doctor.Code]bool {
	t.Helper()
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), "../../internal/doctor/code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[doctor.Code]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if kind, named := spec.Type.(*ast.Ident); !ok || !named || kind.Name != "Code" {
			t.Fatalf("%v is no code", spec.Names)
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil || codes[doctor.Code(text)] {
			t.Errorf("%s is a duplicate, or invalid: %v", literal.Value, err)
		}
		codes[doctor.Code(text)] = true
		return true
	})
	return codes
}

// A cause with its own advice takes precedence over the code; any other leaves the code's advice.
func TestCauseAdvicePrecedesCodeAdvice(t *testing.T) {
	forbidden := errors.Join(errors.New("x"), &noanswer.Error{Reason: noanswer.NotAllowed})
	for _, tt := range []struct {
		code  doctor.Code
		cause error
		want  string
	}{
		{doctor.StreamUnlimited, &streams.SizeError{Unlimited: true}, "BRIDGE_STREAM_MAX_BYTES"},
		{doctor.WritesRefused, &doctor.WriteError{Names: event.NewNames("mkio"), API: "$JS.API.", Err: forbidden}, "let the user publish to mkio.>, mkio-unapplied.>"},
		{doctor.WritesRefused, &doctor.WriteError{Names: event.NewNames("mkio"), API: "$JS.hub.API.", Buckets: "$JS.hub.API.", Err: forbidden}, "$JS.hub.API.$KV.mkio_lease.>"},
		{doctor.IdentityMismatch, &identity.MismatchError{Aspect: identity.OfAddress}, "correct BRIDGE_MKIO_URL"},
		{doctor.RightMissing, &doctor.RightError{Right: "ams.job.get", Err: &mkio.APIError{Status: 403}}, "give the token ams.job.get in this project"},
		{doctor.StreamUnavailable, forbidden, rightsFile},
		{doctor.StreamUnavailable, errors.New("x"), "have a leader"},
		{doctor.MKIOFailed, &mkio.APIError{Status: 401}, "BRIDGE_MKIO_TOKEN"},
		{doctor.MKIOFailed, &mkio.APIError{Status: 429}, "BRIDGE_POLL_RATE"},
		{doctor.MKIOFailed, &mkio.APIError{Status: 500}, "try again later"},
	} {
		if got := findingAdvice(doctor.Finding{Codes: []doctor.Code{tt.code}, Cause: tt.cause}); !strings.Contains(got, tt.want) {
			t.Errorf("%s because of %v: %q, want %q", tt.code, tt.cause, got, tt.want)
		}
	}
	if got := findingAdvice(doctor.Finding{Codes: []doctor.Code{doctor.AddressPrivate, doctor.RuleDuplicate}}); got != "set BRIDGE_WEBHOOK_URL to a public address; delete one of them" {
		t.Errorf("of two codes: %q", got)
	}
	if got := findingAdvice(doctor.Finding{Level: doctor.OK}); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
