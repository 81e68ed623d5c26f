package main

import (
	"fmt"
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/printable"
)

// errorSuffix formats the errors of an event for the end of its line; "" if it has none.
func errorSuffix(errors []event.Problem) string {
	if len(errors) == 0 {
		return ""
	}
	suffix := "  " + errorText(errors[0])
	if more := len(errors) - 1; more > 0 {
		suffix += fmt.Sprintf(" (and %d more)", more)
	}
	return suffix
}

// maxErrorMessage is how much of an error's message a line shows, in characters: --output json has all of it.
const maxErrorMessage = 160

// errorText formats an error: category and code, output, message, and MK.IO's advice on a retry.
func errorText(p event.Problem) string {
	var about []string
	if cause := strings.Trim(p.Category+"/"+p.Code, "/"); cause != "" {
		about = append(about, printable.Name(cause))
	}
	if p.Output != "" {
		about = append(about, "output "+printable.Name(p.Output))
	}
	parts := []string{strings.Join(about, ", ")}
	if message := []rune(strings.TrimSpace(p.Message)); len(message) > maxErrorMessage {
		parts = append(parts, printable.Sentence(string(message[:maxErrorMessage])+"…"))
	} else if len(message) > 0 {
		parts = append(parts, printable.Sentence(string(message)))
	}
	return strings.TrimPrefix(strings.Join(parts, ": "), ": ") + retryText(p.Retry)
}

// retryText says whether the same job may succeed when it is submitted again, in MK.IO's opinion.
func retryText(advice string) string {
	switch advice {
	case "":
		return ""
	case "DoNotRetry":
		return " (a retry does not help)"
	case "MayRetry":
		return " (a retry may help)"
	}
	return " (retry: " + printable.Name(advice) + ")"
}
