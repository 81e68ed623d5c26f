package identity

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
)

func TestAddressIsNormalised(t *testing.T) {
	for address, want := range map[string]string{
		"https://app.mk.io":           "https://app.mk.io",
		"HTTPS://App.MK.io:443/":      "https://app.mk.io",
		"http://app.mk.io:80":         "http://app.mk.io",
		"http://app.mk.io:443":        "http://app.mk.io:443",
		"https://app.mk.io:8443//":    "https://app.mk.io:8443",
		"https://gate.example/MKIO/":  "https://gate.example/MKIO",
		"https://[2001:DB8::1]:443/x": "https://[2001:db8::1]/x",
	} {
		if got := Address(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}

const (
	here      = "https://app.mk.io"
	elsewhere = "https://staging.mk.io"
)

// sources returns the sources of count events of an address, behind a sequence.
func sources(address string, after uint64, count int) (all []Source) {
	for i := range count {
		all = append(all, Source{after + uint64(i) + 1, address + "/api/v1/projects/aurora-vod/media/assets/a"})
	}
	return all
}

func TestBegin(t *testing.T) {
	full := Note{Address: here, Organisation: "org-1", Projects: map[string]string{"aurora-vod": "id-1"}}
	other := Note{Address: elsewhere, Organisation: "org-1", Projects: full.Projects, MovedAt: 9}
	log := Tail{9, sources(here, 0, 9)}
	for name, c := range map[string]struct {
		note    Note
		claim   Claim
		tail    Tail
		want    Note
		refused Aspect
	}{
		"an empty log":                                         {Note{}, Claim{here, "org-1", ""}, Tail{}, Note{Address: here, Organisation: "org-1", Whole: true}, ""},
		"an empty log and no token":                            {Note{}, Claim{here, "", ""}, Tail{}, Note{Address: here, Whole: true}, ""},
		"the same":                                             {full, Claim{here, "org-1", ""}, log, full, ""},
		"a token without an organisation":                      {full, Claim{here, "", ""}, log, full, ""},
		"another address":                                      {full, Claim{elsewhere, "org-1", ""}, log, full, OfAddress},
		"another address, and an empty log":                    {full, Claim{elsewhere, "org-1", ""}, Tail{}, full, OfAddress},
		"another organisation":                                 {full, Claim{here, "org-2", ""}, log, full, OfOrganisation},
		"no note, and events of here":                          {Note{}, Claim{here, "org-1", ""}, log, Note{Address: here}, ""},
		"no note, and events of elsewhere":                     {Note{}, Claim{elsewhere, "org-1", ""}, log, Note{}, OfAddress},
		"no note, and events without an address":               {Note{}, Claim{elsewhere, "", ""}, Tail{2, []Source{{2, "urn:x"}}}, Note{Address: elsewhere}, ""},
		"a note of here, and events of elsewhere":              {full, Claim{here, "org-1", ""}, Tail{9, sources(elsewhere, 0, 9)}, full, OfAddress},
		"one of the last events is of here":                    {full, Claim{here, "org-1", ""}, Tail{10, append(sources(here, 0, 1), sources(elsewhere, 1, 9)...)}, full, ""},
		"the address is adopted":                               {full, Claim{elsewhere, "org-1", AdoptAddress}, log, other, ""},
		"events before the adoption do not count":              {other, Claim{elsewhere, "org-1", ""}, log, other, ""},
		"nor do they for the old address":                      {other, Claim{here, "org-1", ""}, log, other, OfAddress},
		"adopting the address does not adopt the organisation": {full, Claim{elsewhere, "org-2", AdoptAddress}, log, full, OfOrganisation},
		"all is adopted": {
			full,
			Claim{elsewhere, "org-2", AdoptAll},
			log,
			Note{Address: elsewhere, Organisation: "org-2", Projects: full.Projects, MovedAt: 9},
			"",
		},
		"a log that was empty moves":          {Note{Address: here, Whole: true}, Claim{elsewhere, "", AdoptAddress}, log, Note{Address: elsewhere, MovedAt: 9}, ""},
		"a log that was empty goes on":        {Note{Address: here, Whole: true}, Claim{here, "", ""}, log, Note{Address: here, Whole: true}, ""},
		"all is adopted without a note":       {Note{}, Claim{elsewhere, "org-2", AdoptAll}, log, Note{Address: elsewhere, Organisation: "org-2", MovedAt: 9}, ""},
		"all is adopted, and nothing differs": {full, Claim{here, "org-1", AdoptAll}, log, full, ""},
	} {
		got, err := c.note.Begin(c.claim, c.tail)
		mismatch, _ := errors.AsType[*MismatchError](err)
		switch {
		case c.refused != "" && (mismatch == nil || mismatch.Aspect != c.refused):
			t.Errorf("%s: %v, want another %s", name, err, c.refused)
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.refused == "" && !got.Equal(c.want):
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	note := Note{Address: here, Organisation: "org-1", Projects: map[string]string{"known": "id-1", "without": ""}}
	for name, c := range map[string]struct {
		found Found
		want  Standing
	}{
		"the recorded id":                {Found{here, "org-1", "known", "ID-1", false}, Known},
		"another id":                     {Found{here, "org-1", "known", "id-2", false}, Another},
		"another id, and no event of it": {Found{here, "org-1", "known", "id-2", true}, Another},
		"no id":                          {Found{here, "org-1", "known", "", false}, Known},
		"another organisation":           {Found{here, "org-2", "known", "id-1", false}, Another},
		"another address":                {Found{elsewhere, "org-1", "known", "id-1", false}, Another},
		"a first id":                     {Found{here, "org-1", "without", "id-1", false}, Unknown},
		"still no id":                    {Found{here, "", "without", "", false}, Known},
		"a new project":                  {Found{here, "", "new", "id-3", true}, Known},
		"events of a project that is not in the note": {Found{here, "org-1", "new", "id-3", false}, Unknown},
		"the same without an id":                      {Found{here, "", "new", "", false}, Unknown},
		"the same of this organisation":               {Found{here, "org-1", "new", "", false}, Known},
	} {
		got, err := note.CheckProject(c.found)
		if got != c.want || (err == nil) != (got == Known) {
			t.Errorf("%s: %d, %v, want %d", name, got, err, c.want)
		}
	}
	whole := note
	whole.Whole = true // the log was empty when the note was begun
	for name, c := range map[string]struct {
		found Found
		want  Standing
	}{
		"events of one that is not noted": {Found{here, "org-1", "new", "id-3", false}, Known},
		"another organisation":            {Found{here, "org-2", "new", "id-3", false}, Another},
		"an unknown organisation":         {Found{here, "", "new", "id-3", false}, Unknown},
		"another id":                      {Found{here, "org-1", "known", "id-2", false}, Another},
	} {
		if got, err := whole.CheckProject(c.found); got != c.want || (err == nil) != (got == Known) {
			t.Errorf("of a whole log, %s: %d, %v, want %d", name, got, err, c.want)
		}
	}
}

func bucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_bridge"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func TestCorruptNoteReadsAsNone(t *testing.T) {
	kv := bucket(t)
	if _, err := kv.PutString(t.Context(), key, "{"); err != nil {
		t.Fatal(err)
	}
	store := NewStore(kv)
	if n, err := store.Read(t.Context()); err != nil || !n.Equal(Note{}) {
		t.Errorf("%+v, %v", n, err)
	}
	want := Note{Address: here}
	if _, _, err := store.Change(t.Context(), func(Note) (Note, error) { return want, nil }); err != nil {
		t.Fatal(err)
	}
	if n, err := store.Read(t.Context()); err != nil || !n.Equal(want) {
		t.Errorf("%+v, %v", n, err)
	}
}

// When bridges of different MK.IOs start on one empty log at the same time, one of them succeeds.
func TestOneOfTwoClaimsHolds(t *testing.T) {
	checkClaims(t, bucket(t))
}

// checkClaims makes several bridges claim a log, and then record a project each.
func checkClaims(t *testing.T, bucket jetstream.KeyValue) {
	t.Helper()
	store := NewStore(bucket)
	var running sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		running.Go(func() {
			claim := Claim{Address: fmt.Sprintf("https://%d.mk.io", i)}
			_, _, errs[i] = store.Change(t.Context(), func(n Note) (Note, error) { return n.Begin(claim, Tail{}) })
		})
	}
	running.Wait()
	held := 0
	for _, err := range errs {
		if _, refused := errors.AsType[*MismatchError](err); err == nil {
			held++
		} else if !refused {
			t.Error(err)
		}
	}
	if held != 1 {
		t.Errorf("%d claims succeeded: %v", held, errs)
	}
	for i := range errs {
		running.Go(func() {
			_, _, errs[i] = store.Change(t.Context(), func(n Note) (Note, error) { return n.WithProject(fmt.Sprint("p", i), "id"), nil })
		})
	}
	running.Wait()
	note, err := store.Read(t.Context())
	if err := errors.Join(append(errs, err)...); err != nil || len(note.Projects) != len(errs) {
		t.Errorf("the note has %d projects of %d: %v", len(note.Projects), len(errs), err)
	}
}
