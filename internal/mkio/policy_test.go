package mkio

import (
	"os"
	"strings"
	"testing"
)

// Keys of a customer's correlation data, some of which are named like secrets.
const correlationOfACustomer = `{"houseKey":"LH-0417","episodeUri":"urn:ebu:ep:0417","tenantKey":"blue","when":"2031-03-04","externalAuth":"house",` +
	`"owner":"desk@example.com","query":"show?ep=7","big":12345678901234567890.5,"compass":"north","token_count":"17"}`

const correlationRedacted = `{"houseKey":"[redacted]","episodeUri":"[redacted]","tenantKey":"[redacted]","when":"2031-03-04","externalAuth":"[redacted]",` +
	`"owner":"[redacted]","query":"show?[redacted]","big":12345678901234567890.5,"compass":"north","token_count":"[redacted]"}`

func TestCorrelationPolicy(t *testing.T) {
	for _, section := range []string{"properties", "spec"} {
		record := `{"name":"corr","` + section + `":{"state":"Finished","streamKey":"s","correlationData":` + correlationOfACustomer + `}}`
		delivery := `{"specversion":"1.0","id":"c-1","type":"MediaKind.JobFinished","source":"/api/v1/projects/p1/transforms/t/jobs/corr",` +
			`"time":"2031-03-04T10:00:00Z","data":{"projectName":"p1","state":"Finished","resource":` + record + `}}`
		for policy, want := range map[CorrelationPolicy]string{
			CorrelationFull: correlationOfACustomer, CorrelationRedacted: correlationRedacted, CorrelationNone: "",
		} {
			inRecord := `,"correlationData":` + want
			if want == "" {
				inRecord = ""
			}
			for resource, key := range map[ResourcePolicy]string{ResourceRedacted: "[redacted]", ResourceFull: "s", ResourceNone: ""} {
				wantRecord := `{"name":"corr","` + section + `":{"state":"Finished","streamKey":"` + key + `"` + inRecord + `}}`
				if resource == ResourceNone {
					wantRecord = ""
				}
				o, err := Decoder{Resource: resource, Correlation: policy}.Decode([]byte(delivery), received)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "correlation", string(o.Correlation), want)
				equal(t, "record", string(o.Resource), wantRecord)
			}
			redacted, err := policy.RedactDelivery([]byte(delivery))
			if err != nil {
				t.Fatal(err)
			}
			retried, err := Decoder{Correlation: policy}.Decode(redacted, received)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "correlation of a retry", string(retried.Correlation), want)
		}
	}
}

// Outside of records, a member named correlationData is redacted like any other.
func TestCorrelationPolicyAppliesWithinRecordsOnly(t *testing.T) {
	for _, body := range []string{
		`{"correlationData":{"apiKey":"k"}}`, `{"data":{"correlationData":{"apiKey":"k"}}}`,
		`{"data":{"resource":{"status":{"correlationData":{"apiKey":"k"}},"properties":[{"correlationData":{"apiKey":"k"}}]}}}`,
		`{"data":{"resource":{"properties":{"input":{"correlationData":{"apiKey":"k"}}}}}}`,
	} {
		redacted, err := RedactDelivery([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "redacted", string(redacted), strings.ReplaceAll(body, `"k"`, `"[redacted]"`))
	}
}

func TestParseCorrelationPolicy(t *testing.T) {
	for text, want := range map[string]CorrelationPolicy{"full": CorrelationFull, "redacted": CorrelationRedacted, "none": CorrelationNone} {
		if got, err := ParseCorrelationPolicy(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	if _, err := ParseCorrelationPolicy("Full"); err == nil {
		t.Error("an unknown policy was parsed")
	}
}

func TestSecretMemberNames(t *testing.T) {
	secret := strings.Fields(`
		accessToken ACCESS_TOKEN access-token accesstoken sasToken SASToken token2 token_count tokens
		secret clientSecret clientsecret secretAccessKey secrets password userpassword passWord passPhrase passphrase
		key key1 houseKey HOUSE_KEY house-key house.key streamKey streamkey STREAMKEY apiKey api_keys APIKey apikey accessKeyId
		ingestkey contentKey basicAuth oauth OAuth x-auth sas jwt sig userPass userpass credential credentials
		email eMail e-mail emailAddress emailaddress createdByEmail connectionStrings previewLocator
		url URL sourceUrl source_url sourceURLs source2URLs sourceURLS baseUri baseURI baseurl sourceurls monitoring srtUrl`)
	harmless := strings.Fields(`
		compass Compass trespass bypass hockey monkey turkey jockey whiskey kansas arkansas Missouri curl hurl
		hockeyTeam monkey_value monkeyValue HOCKEY secretary secretaryName tokenizer keyFrameInterval keyboard keyframes
		keyFrameIntervalDuration policyName author authority authored passage passenger signal assigned encodingType
		streamingPolicyName labelReferenceInStreamingPolicy hostName curling urlaub uriah sasquatch state name id created`)
	for _, name := range secret {
		if !ruleOfName(name).redacts("") {
			t.Errorf("the value of %s is not redacted", name)
		}
	}
	for _, name := range harmless {
		if ruleOfName(name).redacts("") {
			t.Errorf("the value of %s is redacted", name)
		}
	}
}

func TestSecretNamesInText(t *testing.T) {
	for _, text := range []string{"compass: north", "Hockey: final", "Monkey=3", "Arkansas: 5 clips", "secretary: Ann", "turkey = 1", "bypass:on"} {
		equal(t, "harmless", redactText(text), text)
	}
	for given, want := range map[string]string{
		"key: x": "key: [redacted]", "houseKey=x": "houseKey=[redacted]", "stream_key = x": "stream_key = [redacted]", "STREAMKEY:x": "STREAMKEY:[redacted]",
		"oauth: x": "oauth: [redacted]", `"pass": "x"`: `"pass": [redacted]`, "hockey: final, token=x": "hockey: final, token=[redacted]",
	} {
		equal(t, given, redactText(given), want)
	}
}

// Operators read the lists of secret names in docs/redaction.md.
func TestSecretNamesAreDocumented(t *testing.T) {
	const page = "../../docs/redaction.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]string{secretWords, harmlessWords, secretLastWords, addressLastWords, secretSuffixes, addressSuffixes} {
		if line := "`" + strings.Join(list, "`, `") + "`"; !strings.Contains(string(text), line) {
			t.Errorf("%s has not\n%s", page, line)
		}
	}
}
