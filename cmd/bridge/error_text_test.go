package main

import (
	"strings"
	"testing"

	"mkio-bridge/internal/event"
)

func TestErrorsAreReadableInOneLine(t *testing.T) {
	full := event.Problem{Code: "ContentUnsupported", Category: "Content", Message: "No video track.", Retry: "DoNotRetry", Output: "hd_0"}
	tests := map[string]struct {
		errors []event.Problem
		want   string
	}{
		"none":           {nil, ""},
		"all members":    {[]event.Problem{full}, "  Content/ContentUnsupported, output hd_0: No video track. (a retry does not help)"},
		"several":        {[]event.Problem{full, full, full}, "  Content/ContentUnsupported, output hd_0: No video track. (a retry does not help) (and 2 more)"},
		"a message":      {[]event.Problem{{Message: "recording: No signal."}}, "  recording: No signal."},
		"a code":         {[]event.Problem{{Code: "ServiceError", Retry: "MayRetry"}}, "  ServiceError (a retry may help)"},
		"a category":     {[]event.Problem{{Category: "Service", Message: "Interrupted."}}, "  Service: Interrupted."},
		"unknown advice": {[]event.Problem{{Message: "Busy.", Retry: "Later"}}, "  Busy. (retry: Later)"},
		"lines":          {[]event.Problem{{Message: "first\nsecond\x1b[31m\n"}}, `  "first\nsecond\x1b[31m"`},
		"names":          {[]event.Problem{{Code: "a\nb", Output: "\x1b"}}, `  "a\nb", output "\x1b"`},
		"long": {
			[]event.Problem{{Message: strings.Repeat("ä", maxErrorMessage+1)}},
			"  " + strings.Repeat("ä", maxErrorMessage) + "…",
		},
	}
	for name, tt := range tests {
		if got := errorSuffix(tt.errors); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
