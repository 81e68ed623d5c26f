package identity

// An Adoption is an operator's decision to accept an MK.IO that is not the recorded one.
type Adoption string

// The adoptions.
const (
	AdoptNothing Adoption = ""
	AdoptAddress Adoption = "address" // the same MK.IO at another address
	AdoptAll     Adoption = "all"     // everything that MK.IO returns now, organisation and project ids included
)

// A Claim is the MK.IO that a starting bridge is configured for.
type Claim struct {
	Address      string // as [Address] writes it
	Organisation string // of the token; "": the token has none, or there is no token
	Adopt        Adoption
}

// A Tail has the last sequence of a log and the sources of its last events.
type Tail struct {
	Last    uint64 // the last sequence; 0: no event was ever recorded
	Sources []Source
}

// A Source is the source of an event.
type Source struct {
	Sequence uint64
	URL      string
}

// Begin compares a bridge's claim with the note and with the sources of the log's last events, before the bridge records an
// event. It returns the new note, or a [MismatchError].
//
// It takes the organisation from the token only for an empty log. Otherwise a project must be verified first ([Note.With]).
func (n Note) Begin(c Claim, t Tail) (Note, error) {
	logged := t.address(n.MovedAt, c.Address)
	elsewhere := logged != "" && logged != c.Address
	moved := elsewhere || n.Address != "" && n.Address != c.Address
	switch {
	case moved && c.Adopt == AdoptNothing && elsewhere:
		return n, &MismatchError{Aspect: OfAddress, Recorded: logged, Found: c.Address}
	case moved && c.Adopt == AdoptNothing:
		return n, n.checkAddress(c.Address)
	case moved:
		n.MovedAt, n.Whole = t.Last, false
	}
	n.Address = c.Address
	n.Whole = n.Whole || t.Last == 0
	switch {
	case c.Adopt == AdoptAll && (moved || c.Organisation != ""):
		n.Organisation = c.Organisation
	case n.Organisation == "" && t.Last == 0:
		n.Organisation = c.Organisation
	}
	return n, n.CheckOrganisation(c.Organisation)
}

// address returns the API address of the events after a sequence: the wanted one if one of them has it, else that of the
// last; "" if none has any.
func (t Tail) address(after uint64, wanted string) (last string) {
	for _, s := range t.Sources {
		address := addressOf(s.URL)
		switch {
		case s.Sequence <= after || address == "":
		case address == wanted:
			return wanted
		default:
			last = address
		}
	}
	return last
}
