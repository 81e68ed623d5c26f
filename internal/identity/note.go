package identity

import (
	"fmt"
	"maps"
	"strings"
)

// A Note is the recorded identity of the MK.IO that a log belongs to. The zero Note records nothing.
type Note struct {
	Address      string            `json:"address,omitempty"`      // as [Address] writes it
	Organisation string            `json:"organisation,omitempty"` // "": no token had one
	Projects     map[string]string `json:"projects,omitempty"`     // MK.IO's id by project name; "": the project is verified, but MK.IO returned no id
	// Whole says that the log was empty when this note was begun, so that the whole log belongs to this address and
	// organisation. A webhook may be recorded before its project was asked for the first time.
	Whole bool `json:"whole,omitempty"`
	// Unknown has the unverified projects, each with the last sequence of the log when it was found. Only events up to it
	// can verify the project: later ones may be of that very project.
	Unknown map[string]uint64 `json:"unknown,omitempty"`
	// MovedAt is the last sequence of the log when another address was adopted: the sources of events up to it have a former
	// address.
	MovedAt uint64 `json:"movedAt,omitempty"`
}

// Equal reports whether two notes are equal.
func (n Note) Equal(other Note) bool {
	return n.Address == other.Address && n.Organisation == other.Organisation && n.Whole == other.Whole && n.MovedAt == other.MovedAt &&
		maps.Equal(n.Projects, other.Projects) && maps.Equal(n.Unknown, other.Unknown)
}

// WithProject returns the note with the id of a verified project.
func (n Note) WithProject(name, id string) Note {
	n.Projects = with(n.Projects, name, id)
	n.Unknown = maps.Clone(n.Unknown)
	delete(n.Unknown, name)
	return n
}

// WithUnknown returns the note with an unverified project and the last sequence of the log, unless the note has it already.
func (n Note) WithUnknown(name string, last uint64) Note {
	if _, ok := n.Unknown[name]; !ok {
		n.Unknown = with(n.Unknown, name, last)
	}
	return n
}

// with returns a copy of a map with one more value.
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

// A MismatchError is the error of an MK.IO that is not the one that the log belongs to.
type MismatchError struct {
	Aspect          Aspect
	Project         string // name; only with OfProject
	Recorded, Found string
}

func (e *MismatchError) Error() string {
	switch e.Aspect {
	case OfAddress:
		return fmt.Sprintf("another MK.IO: the log belongs to %s, but %s is configured", e.Recorded, e.Found)
	case OfOrganisation:
		return fmt.Sprintf("another organisation: the log belongs to %s, but the token is of %s", e.Recorded, e.Found)
	case OfProject:
	}
	return fmt.Sprintf("another project named %s: the log belongs to id %s, but MK.IO returned id %s", e.Project, e.Recorded, e.Found)
}

// An UnknownError is the error of a project that is not verified: it may not be the one in the log.
type UnknownError struct{ Project string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("project %s is not verified: no evidence yet that it is the one in the log", e.Project)
}

// sameID compares two ids of MK.IO without regard to case, because they are usually UUIDs.
func sameID(a, b string) bool { return strings.EqualFold(a, b) }

// CheckOrganisation returns a [MismatchError] if the token is of another organisation than the recorded one; "" is unknown.
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

// A Found is the project that MK.IO returned for a name.
type Found struct {
	Address      string // as [Address] writes it
	Organisation string // of the token; "": it has none
	Project, ID  string // ID "": MK.IO returned none
	Empty        bool   // the log has no event of a project with this name
}

// A Standing says whether a project belongs to the log.
type Standing uint8

// The standings. [Another] comes with a [MismatchError], [Unknown] with an [UnknownError].
const (
	_       Standing = iota
	Known            // it is the project in the log
	Unknown          // not verified: its deletions wait
	Another          // it is another project: it is not polled
)

// CheckProject reports whether a project is the one in the log. The error is nil for [Known].
func (n Note) CheckProject(f Found) (Standing, error) {
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
		return Known, nil // without an id from MK.IO, address and organisation decide
	case n.Whole && sameID(n.Organisation, f.Organisation):
		return Known, nil
	case f.ID == "" && n.Organisation != "" && sameID(n.Organisation, f.Organisation):
		return Known, nil
	}
	return Unknown, &UnknownError{f.Project}
}

// With returns the note with the address, organisation and id of a [Known] project.
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
