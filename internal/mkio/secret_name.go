package mkio

import (
	"slices"
	"strings"
	"unicode"
)

// A name is read as words: accessToken, access_token and ACCESS-TOKEN are the words access and token, source2URLs is
// source and urls. Digits belong to no word. The lists below are those of docs/redaction.md.

// A member is secret when one of its words has one of these in it, or when two words that follow each other are one of
// these …
var secretWords = []string{
	"token", "secret", "password", "passphrase", "passwd", "pwd", "keyvalue", "accesskey", "sharedkey",
	"streamkey", "privatekey", "apikey", "signature", "credential", "authorization", "cookie", "bearer",
	"connectionstring", "email", "previewlocator",
}

// … but for words that begin like this …
var harmlessWords = []string{"secretar", "tokeniz", "tokenis"}

// … or when its last word is one of these, which are harmless as parts of other words and before them (compass, hockey,
// keyFrameInterval) …
var (
	secretLast  = []string{"key", "sig", "sas", "pass", "auth", "jwt"}
	addressLast = []string{"url", "urls", "uri", "uris", "monitoring"}
)

// … or ends in one of these, where nothing shows where a word ends.
var (
	secretTails = []string{
		"accountkey", "contentkey", "encryptionkey", "ingestkey", "licensekey", "masterkey", "signingkey", "passkey",
		"basicauth", "oauth", "userpass",
	}
	addressTails = []string{
		"baseurl", "callbackurl", "destinationurl", "ingesturl", "inputurl", "outputurl", "playbackurl", "previewurl",
		"sourceurl", "streamurl", "webhookurl", "baseuri", "sourceuri",
	}
)

// secretBelow are members that are secret only in one place: the values of a locator's content keys
// and the whole configuration of a content key policy.
var secretBelow = map[string]string{"contentkeys": "value", "properties": "options"}

// A nameRule is what the rules make of a member's name.
type nameRule struct {
	name   string // its words in one
	secret bool   // wherever it stands
}

func ruleOfName(key string) nameRule {
	words := wordsOf(key)
	return nameRule{strings.Join(words, ""), secretByName(words) || addressByName(words)}
}

// hides says whether the value of a member must be hidden whole. parent is the name of the member that holds the
// object, through arrays.
func (r nameRule) hides(parent string) bool {
	below, ok := secretBelow[parent]
	return r.secret || ok && below == r.name
}

// secretByName says whether a name is that of a secret, an address apart.
func secretByName(words []string) bool {
	if len(words) == 0 {
		return false
	}
	for i, word := range words {
		if holdsSecretWord(word) || i > 0 && isSecretWord(words[i-1]+word) {
			return true
		}
	}
	return endsInWord(words[len(words)-1], secretLast, secretTails)
}

func addressByName(words []string) bool {
	return len(words) > 0 && endsInWord(words[len(words)-1], addressLast, addressTails)
}

func endsInWord(word string, whole, tails []string) bool {
	return slices.Contains(whole, word) ||
		slices.ContainsFunc(tails, func(tail string) bool {
			return strings.HasSuffix(strings.TrimSuffix(word, "s"), strings.TrimSuffix(tail, "s"))
		})
}

func holdsSecretWord(word string) bool {
	return slices.ContainsFunc(secretWords, func(secret string) bool { return strings.Contains(word, secret) }) &&
		!slices.ContainsFunc(harmlessWords, func(harmless string) bool { return strings.HasPrefix(word, harmless) })
}

// isSecretWord is for two words in one: passPhrase, apiKeys.
func isSecretWord(pair string) bool {
	return slices.Contains(secretWords, pair) || slices.Contains(secretWords, strings.TrimSuffix(pair, "s"))
}

// wordsOf returns the words of a name in lower case.
func wordsOf(name string) []string {
	var words []string
	letters := []rune(name)
	from := 0
	for i := 0; i <= len(letters); i++ {
		if i < len(letters) && unicode.IsLetter(letters[i]) && (i == from || !beginsWord(letters, i)) {
			continue
		}
		if i > from {
			words = append(words, strings.ToLower(string(letters[from:i])))
		}
		from = i
		if i < len(letters) && !unicode.IsLetter(letters[i]) {
			from++
		}
	}
	return words
}

// beginsWord says whether a letter that follows another begins a word: a capital after a small letter (accessToken), and
// the last of some capitals before small letters (SASToken), but for the s of a plural (sourceURLs).
func beginsWord(letters []rune, i int) bool {
	if !unicode.IsUpper(letters[i]) {
		return false
	}
	if !unicode.IsUpper(letters[i-1]) {
		return true
	}
	small := func(i int) bool { return i < len(letters) && unicode.IsLower(letters[i]) }
	plural := small(i+1) && letters[i+1] == 's' && !small(i+2)
	return small(i+1) && !plural
}
