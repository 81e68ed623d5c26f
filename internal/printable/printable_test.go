package printable

import "testing"

func TestSentence(t *testing.T) {
	for sentence, want := range map[string]string{
		`"id" is missing, é`: `"id" is missing, é`, "\x1b[2J": `"\x1b[2J"`, "\u202eb": `"\u202eb"`, "\x9b": `"\x9b"`, "a\nb": `"a\nb"`,
	} {
		if got := Sentence(sentence); got != want {
			t.Errorf("%q is printed as %s, want %s", sentence, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"ep-0417": "ep-0417", "two words, é": "two words, é", "": `""`, `a"b`: `"a\"b"`, "\x1b[2J": `"\x1b[2J"`, "a\nb": `"a\nb"`,
	} {
		if got := Name(name); got != want {
			t.Errorf("%q is printed as %s, want %s", name, got, want)
		}
	}
}

func TestBody(t *testing.T) {
	for body, want := range map[string]string{
		"{\"a\":\"\u202e\u009b\x7f é😀\U000e0001\"}": "{\n  \"a\": \"\\u202e\\u009b\\u007f é😀\\udb40\\udc01\"\n}",
		" [1, 2]\n":    "[\n  1,\n  2\n]",
		"\xff\x1b":     `"\xff\x1b"`,
		"a\nb":         `"a\nb"`,
		"":             `""`,
		"\"\xc2\x9b\"": `"\u009b"`,
	} {
		if got := Body([]byte(body)); got != want {
			t.Errorf("%q is printed as %q, want %q", body, got, want)
		}
	}
}
