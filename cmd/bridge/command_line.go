package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// invocation returns how this program was started, for the commands that it suggests.
func invocation() string { return invocationOf(os.Args[0]) }

// invocationOf returns the words that start a program. The binary of go run is gone afterwards: its directory in the
// temporary one begins with go-build.
func invocationOf(program string) string {
	if strings.Contains(filepath.ToSlash(program), "/go-build") {
		return "go run ./cmd/bridge"
	}
	return shellWord(program)
}

// plainWord matches what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]*$`)

// shellWord quotes a value for a shell, where it must be.
func shellWord(value string) string {
	if plainWord.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
