package notify

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A line that was cut by a crash does not damage the next, and deletions are lines too.
func TestFileOfDeadLetters(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "failed.jsonl")
	if err := os.WriteFile(name, []byte(`{"id":"to`), 0o600); err != nil {
		t.Fatal(err)
	}
	dead, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if err := dead.Store(t.Context(), Letter{ID: id, Rule: "r", Event: []byte(`no JSON`), Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := dead.List(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "a" || all[0].Number != 2 || string(all[0].Event) != `"no JSON"` {
		t.Fatal(all, err)
	}
	if err := dead.Delete(t.Context(), all[0].Number); err != nil {
		t.Fatal(err)
	}
	wantLetters(t, dead, "b")
}

// wantLetters fails the test unless the dead letters are those of some events.
func wantLetters(t *testing.T, dead DeadLetters, ids ...string) {
	t.Helper()
	all, err := dead.List(t.Context())
	var got []string
	for _, l := range all {
		got = append(got, l.ID)
	}
	if count, errCount := dead.Count(t.Context()); err != nil || errCount != nil || count != len(ids) || !slices.Equal(got, ids) {
		t.Errorf("letters of %q and a count of %d, want %q (%v, %v)", got, count, ids, err, errCount)
	}
}

// The count follows what other processes append, and a file that was removed or replaced loses no further letter.
func TestFileOfDeadLettersIsCountedAndReplaced(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "failed.jsonl")
	open := func() DeadLetters {
		dead, err := OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return dead
	}
	dead, other := open(), open()
	store := func(id string) {
		if err := dead.Store(t.Context(), Letter{ID: id, Event: []byte("{}"), Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	wantLetters(t, dead)
	store("a")
	store("b")
	wantLetters(t, dead, "a", "b")
	if err := other.Delete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	wantLetters(t, dead, "b")
	store("c")
	wantLetters(t, dead, "b", "c")
	wantLetters(t, other, "b", "c")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	wantLetters(t, dead)
	store("d")
	wantLetters(t, dead, "d")
	wantLetters(t, other, "d")
}
