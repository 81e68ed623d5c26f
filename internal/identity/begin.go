package identity

// An Adoption is what an operator says to be the log's MK.IO though the log remembers another.
type Adoption string

// The adoptions.
const (
	AdoptNothing Adoption = ""
	AdoptAddress Adoption = "address" // the same MK.IO at another address
	AdoptAll     Adoption = "all"     // what answers now, organisation and project ids included
)

// A Claim is what a bridge that starts is configured for.
type Claim struct {
	Address      string // as [Address] writes it
	Organisation string // of the token; "": it does not tell, or there is none
	Adopt        Adoption
}

// A Tail is the end of a log.
type Tail struct {
	Last    uint64 // the last sequence; 0: nothing was ever recorded
	Sources []Source
}

// A Source is that of one event.
type Source struct {
	Sequence uint64
	URL      string
}

// Begin compares what a bridge is configured for with the note and with the sources of the log's last events, before
// anything is recorded. It returns the note as it is to be from now on, or a [MismatchError].
//
// The organisation of a log that is not empty is not taken from a token: who answers must have been recognised first
// ([Note.With]).
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

// address returns the address that the last events lie below: the wanted one where one of them does, else that of the last;
// "" where none after a sequence tells any.
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
