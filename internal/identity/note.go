package identity

import (
	"fmt"
	"maps"
	"strings"
)

// A Note is what is recorded of the MK.IO that a log is of. The zero Note records nothing.
type Note struct {
	Address      string            `json:"address,omitempty"`      // as [Address] writes it
	Organisation string            `json:"organisation,omitempty"` // "": no token told it
	Projects     map[string]string `json:"projects,omitempty"`     // MK.IO's own id by name; "": the project is the log's, and MK.IO told no id
	// Whole says that the log was empty when this note was begun, so that all of the log is of this address and organisation.
	// A webhook may be recorded before its project was asked for the first time.
	Whole bool `json:"whole,omitempty"`
	// Unknown has, by name, the last sequence of the log when nothing told whether a project is the log's. Only what was recorded
	// up to it can tell: what came later may be of the very project that is in question.
	Unknown map[string]uint64 `json:"unknown,omitempty"`
	// MovedAt is the last sequence of the log when another address was adopted: events up to it have sources below an
	// earlier one.
	MovedAt uint64 `json:"movedAt,omitempty"`
}

// Equal says whether two notes say the same.
func (n Note) Equal(other Note) bool {
	return n.Address == other.Address && n.Organisation == other.Organisation && n.Whole == other.Whole && n.MovedAt == other.MovedAt &&
		maps.Equal(n.Projects, other.Projects) && maps.Equal(n.Unknown, other.Unknown)
}

// WithProject returns the note with the id of a project that is the log's.
func (n Note) WithProject(name, id string) Note {
	n.Projects = with(n.Projects, name, id)
	n.Unknown = maps.Clone(n.Unknown)
	delete(n.Unknown, name)
	return n
}

// WithUnknown returns the note with a project that nothing is known of, and the last sequence of the log, unless it has it.
func (n Note) WithUnknown(name string, last uint64) Note {
	if _, ok := n.Unknown[name]; !ok {
		n.Unknown = with(n.Unknown, name, last)
	}
	return n
}

// with returns a copy of a map with one more entry.
func with[V any](m map[string]V, name string, value V) map[string]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]V{}
	}
	m[name] = value
	return m
}

// An Aspect is a part of the identity.
type Aspect string

// The aspects.
const (
	OfAddress      Aspect = "address"
	OfOrganisation Aspect = "organisation"
	OfProject      Aspect = "project"
)

// A MismatchError is for an MK.IO that is not the one that the log is of.
type MismatchError struct {
	Aspect          Aspect
	Project         string // its name, where the aspect is one
	Recorded, Found string
}

func (e *MismatchError) Error() string {
	switch e.Aspect {
	case OfAddress:
		return fmt.Sprintf("another MK.IO: the log is of %s, and %s is asked", e.Recorded, e.Found)
	case OfOrganisation:
		return fmt.Sprintf("another organisation: the log is of %s, and the token is of %s", e.Recorded, e.Found)
	case OfProject:
	}
	return fmt.Sprintf("another project of the name %s: the log is of that with the id %s, and %s answers", e.Project, e.Recorded, e.Found)
}

// An UnknownError is for a project of which nothing tells whether it is the one that the log is of.
type UnknownError struct{ Project string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("nothing tells yet whether the project %s that answers is the one that the log is of", e.Project)
}

// sameID compares two ids of MK.IO, which are UUIDs as a rule.
func sameID(a, b string) bool { return strings.EqualFold(a, b) }

// CheckOrganisation refuses a token of another organisation than the recorded one; "" is not known.
func (n Note) CheckOrganisation(found string) error {
	if n.Organisation == "" || found == "" || sameID(n.Organisation, found) {
		return nil
	}
	return &MismatchError{Aspect: OfOrganisation, Recorded: n.Organisation, Found: found}
}

func (n Note) checkAddress(found string) error {
	if n.Address == "" || n.Address == found {
		return nil
	}
	return &MismatchError{Aspect: OfAddress, Recorded: n.Address, Found: found}
}

// A Found is what answers under the name of a project.
type Found struct {
	Address      string // as [Address] writes it
	Organisation string // of the token; "": it does not tell
	Project, ID  string // "": MK.IO does not tell the id
	Empty        bool   // the log has no event of a project of this name
}

// A Standing is what is known of a project that answers.
type Standing uint8

// The standings. An [Another] has a [MismatchError], an [Unknown] an [UnknownError].
const (
	_       Standing = iota
	Known            // it is the one that the log is of
	Unknown          // nothing tells; what it lacks is not deleted
	Another          // it is not; it is not polled
)

// Judge says whether a project is the one that the log is of. The error is nil for one that is known.
func (n Note) Judge(f Found) (Standing, error) {
	if err := n.checkAddress(f.Address); err != nil {
		return Another, err
	}
	if err := n.CheckOrganisation(f.Organisation); err != nil {
		return Another, err
	}
	recorded, ok := n.Projects[f.Project]
	switch {
	case recorded != "" && f.ID != "" && !sameID(recorded, f.ID):
		return Another, &MismatchError{OfProject, f.Project, recorded, f.ID}
	case f.Empty, recorded != "", ok && f.ID == "":
		return Known, nil // where MK.IO tells no id, address and organisation have to do
	case n.Whole && sameID(n.Organisation, f.Organisation):
		return Known, nil
	case f.ID == "" && n.Organisation != "" && sameID(n.Organisation, f.Organisation):
		return Known, nil
	}
	return Unknown, &UnknownError{f.Project}
}

// With returns the note with what a project that is known tells.
func (n Note) With(f Found) Note {
	if n.Address == "" {
		n.Address = f.Address
	}
	if n.Organisation == "" {
		n.Organisation = f.Organisation
	}
	if recorded, ok := n.Projects[f.Project]; !ok || recorded == "" && f.ID != "" {
		return n.WithProject(f.Project, f.ID)
	}
	return n
}
