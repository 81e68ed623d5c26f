package main

import (
	"os"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/lifecycle"
)

// A colour is whether text output has colours.
type colour bool

// Escape sequences of the colours.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

// colour returns whether standard output is a terminal that shall have colours.
func (c *call) colour() colour {
	return colour(terminal(c.stdout) && wantsColour(os.Getenv("NO_COLOR"), os.Getenv("TERM")))
}

// wantsColour reports whether a terminal shall have colours: see no-color.org.
func wantsColour(noColor, term string) bool { return noColor == "" && term != "dumb" }

func (c colour) paint(sequence, text string) string {
	if !bool(c) || sequence == "" {
		return text
	}
	return sequence + text + reset
}

// phaseColours are the colours of phases; others have none.
var phaseColours = map[lifecycle.Phase]string{
	lifecycle.Failed: red, lifecycle.Ready: green, lifecycle.Succeeded: green,
	lifecycle.Initial: yellow, lifecycle.Transitional: yellow, lifecycle.Deleting: yellow,
}

// ofPhase colours the text of a state.
func (c colour) ofPhase(phase lifecycle.Phase, text string) string {
	return c.paint(phaseColours[phase], text)
}

// levelColours are the colours of the doctor's verdicts.
var levelColours = map[doctor.Level]string{doctor.Failed: red, doctor.Warning: yellow, doctor.OK: green}

// ofLevel colours the text of a verdict.
func (c colour) ofLevel(level doctor.Level, text string) string {
	return c.paint(levelColours[level], text)
}
