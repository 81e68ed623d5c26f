package mkio

import (
	"slices"
	"strings"
	"unicode"
)

// A name is split into words: accessToken, access_token and ACCESS-TOKEN are the words access and token, source2URLs is
// source and urls. Digits belong to no word. The lists below are documented in docs/redaction.md.

// A member is secret if one of its words contains one of these, or if two consecutive words joined are one of
// these …
var secretWords = []string{
	"token", "secret", "password", "passphrase", "passwd", "pwd", "keyvalue", "accesskey", "sharedkey",
	"streamkey", "privatekey", "apikey", "signature", "credential", "authorization", "cookie", "bearer",
	"connectionstring", "email", "previewlocator",
}

// … except words that begin with one of these …
var harmlessWords = []string{"secretar", "tokeniz", "tokenis"}

// … or if its last word is one of these, which are harmless within a word or before the last (compass, hockey,
// keyFrameInterval) …
var (
	secretLastWords  = []string{"key", "sig", "sas", "pass", "auth", "jwt"}
	addressLastWords = []string{"url", "urls", "uri", "uris", "monitoring"}
)

// … or ends in one of these, for names without word boundaries.
var (
	secretSuffixes = []string{
		"accountkey", "contentkey", "encryptionkey", "ingestkey", "licensekey", "masterkey", "signingkey", "passkey",
		"basicauth", "oauth", "userpass",
	}
	addressSuffixes = []string{
		"baseurl", "callbackurl", "destinationurl", "ingesturl", "inputurl", "outputurl", "playbackurl", "previewurl",
		"sourceurl", "streamurl", "webhookurl", "baseuri", "sourceuri",
	}
)

// secretBelow are members that are secret only below one parent: the values of a locator's content keys
// and the whole configuration of a content key policy.
var secretBelow = map[string]string{"contentkeys": "value", "properties": "options"}

// A nameRule is the redaction rule of a member name.
type nameRule struct {
	name   string // its words, joined
	secret bool   // below any parent
}

func ruleOfName(key string) nameRule {
	words := wordsOf(key)
	return nameRule{strings.Join(words, ""), secretByName(words) || addressByName(words)}
}

// redacts reports whether the whole value of a member must be redacted. parent is the name of the member that holds the
// object, also through arrays.
func (r nameRule) redacts(parent string) bool {
	below, ok := secretBelow[parent]
	return r.secret || ok && below == r.name
}

// secretByName reports whether a name is that of a secret; addresses are addressByName's.
func secretByName(words []string) bool {
	if len(words) == 0 {
		return false
	}
	for i, word := range words {
		if holdsSecretWord(word) || i > 0 && isSecretWord(words[i-1]+word) {
			return true
		}
	}
	return endsInWord(words[len(words)-1], secretLastWords, secretSuffixes)
}

func addressByName(words []string) bool {
	return len(words) > 0 && endsInWord(words[len(words)-1], addressLastWords, addressSuffixes)
}

func endsInWord(word string, words, suffixes []string) bool {
	return slices.Contains(words, word) ||
		slices.ContainsFunc(suffixes, func(suffix string) bool {
			return strings.HasSuffix(strings.TrimSuffix(word, "s"), strings.TrimSuffix(suffix, "s"))
		})
}

func holdsSecretWord(word string) bool {
	return slices.ContainsFunc(secretWords, func(secret string) bool { return strings.Contains(word, secret) }) &&
		!slices.ContainsFunc(harmlessWords, func(harmless string) bool { return strings.HasPrefix(word, harmless) })
}

// isSecretWord reports whether two joined words are a secret word: passPhrase, apiKeys.
func isSecretWord(pair string) bool {
	return slices.Contains(secretWords, pair) || slices.Contains(secretWords, strings.TrimSuffix(pair, "s"))
}

// wordsOf returns the words of a name, in lower case.
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

// beginsWord reports whether a letter that follows another begins a word: a capital after a small letter (accessToken), and
// the last of several capitals before small letters (SASToken), except before the s of a plural (sourceURLs).
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
