package mkio

import (
	"encoding/json"
	"strings"
	"testing"
)

// secretsOfFixtures are the secret values in the test data, or a unique part of each.
var secretsOfFixtures = []string{
	"REDACT-ME", "3e2ad045-b30c-59de-bef7-3019970db0a1", "55c3a9f8-5f95-563c-be9a-596c93a6e529",
	"ops.bot@", "fixtures.invalid/", "primaryVerificationKey", "198.51.100.20", "sig=",
}

// redactRaw is [redact] for JSON that is not parsed yet.
func redactRaw(raw []byte) (json.RawMessage, error) {
	v, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return redact(v), nil
}

func TestRecordSecretsAreRedacted(t *testing.T) {
	seen := map[string]bool{}
	for name, raw := range readAll(t, "records/*.json", "webhooks/*.json", "webhooks/tolerance/*.json") {
		clean, err := redactRaw(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, secret := range secretsOfFixtures {
			seen[secret] = seen[secret] || strings.Contains(string(raw), secret)
			if strings.Contains(string(clean), secret) {
				t.Errorf("%s still has %s", name, secret)
			}
		}
	}
	for _, secret := range secretsOfFixtures {
		if !seen[secret] {
			t.Errorf("%s is in no test data", secret)
		}
	}
}

func TestObservationsHaveNoSecrets(t *testing.T) {
	o, err := Decoder{Correlation: CorrelationRedacted}.Decode(jobDelivery(t, members{"data.resource": members{
		"properties": members{
			"state":           "Finished",
			"input":           members{"baseUri": "https://host/hunter2", "files": []string{"a.mov?sig=hunter2", "https://host/hunter2"}},
			"outputs":         []any{members{"error": members{"code": "x?hunter2", "message": "no response from https://u:hunter2@host/hunter2 (403)"}}},
			"correlationData": members{"house": "LH-1", "apiKey": "hunter2", "link": "https://host/a?hunter2"},
		},
		"systemData": members{"internalId": "id@hunter2.example"},
		"status":     members{"info": "password=hunter2", "errors": []any{"Authorization: Bearer hunter2", members{"code": "C", "message": "hunter2@mail.example"}}},
	}}), received)
	if err != nil {
		t.Fatal(err)
	}
	if all := string(encode(t, o)); strings.Contains(all, "hunter2") {
		t.Errorf("the observation has a secret: %s", all)
	}
	equal(t, "correlation", string(o.Correlation), `{"apiKey":"[redacted]","house":"LH-1","link":"https://host/[redacted]"}`)
	if len(o.Problems) != 4 {
		t.Fatalf("problems %v", o.Problems)
	}
	equal(t, "message", o.Problems[0].Message, "no response from https://[redacted]")
	equal(t, "message", o.Problems[1].Message, "Authorization: [redacted]")
}

func TestRedactByMember(t *testing.T) {
	tests := []struct{ given, want string }{
		{`{"accessToken":"x","Access_Token":1,"access-token":{"a":[1]}}`, `{"accessToken":"[redacted]","Access_Token":"[redacted]","access-token":"[redacted]"}`},
		{`{"token":null,"secret":"","password":false,"urls":[]}`, `{"token":null,"secret":"","password":"[redacted]","urls":"[redacted]"}`},
		{`{"contentKeys":[{"id":"1","type":"T","value":"k"}],"value":"v"}`, `{"contentKeys":[{"id":"1","type":"T","value":"[redacted]"}],"value":"v"}`},
		{`{"properties":{"options":[{"a":1}]},"options":1}`, `{"properties":{"options":"[redacted]"},"options":1}`},
		{`{"sourceUrl":"x","destinationURL":"y","baseUri":"z","monitoring":{"a":1}}`, `{"sourceUrl":"[redacted]","destinationURL":"[redacted]","baseUri":"[redacted]","monitoring":"[redacted]"}`},
		{`{"passPhrase":"x","streamKey":"y","keyValue":"z","sig":"a","sas":"b","createdByEmail":"c"}`, `{"passPhrase":"[redacted]","streamKey":"[redacted]","keyValue":"[redacted]","sig":"[redacted]","sas":"[redacted]","createdByEmail":"[redacted]"}`},
		{`{"labels":{"bob@example.com":"x","https://h.invalid/p?sig=a":"y","a.b":"z"}}`, `{"labels":{"[redacted]":"x","https://h.invalid/[redacted]":"y","a.b":"z"}}`},
		// Values that only look secret, and values that events need.
		{`{"keyFrameInterval":"PT2S","keyFrameIntervalDuration":"PT2S","policyName":"p"}`, ""},
		{`{"labelReferenceInStreamingPolicy":"cenc","streamingPolicyName":"p","assigned":"a","encodingType":"e"}`, ""},
		{`{"id":"1","internalId":"2","created":"2031-03-04T10:05:12.351891Z","createdBy":"d2ef","hostName":"a.b"}`, ""},
		{`{"@odata.type":"#Microsoft.Media.JobInputHttp","correlationData":{"houseId":"LH-0417"}}`, ""},
		// Order and spelling stay, as far as strict JSON allows.
		{`{"z":1.50,"a":1e40,"m":-0.0,"b":12345678901234567890,"c":[true,false,null]}`, ""},
		{`{"z":1.50,"a":1e400,"m":-0.0,"z":[true,false,null]}`, `{"a":"1e400","m":-0.0,"z":[true,false,null]}`},
		{`{"":"<&>","":{"x":[[],{}]}}`, `{"":{"x":[[],{}]}}`},
		{"[ 1 ,\n {\"a\" : \"\\ud800\\u0000\"} ]", "[1,{\"a\":\"\ufffd\\u0000\"}]"},
		{`"token=abc"`, `"token=[redacted]"`},
		{`null`, ""},
	}
	for _, test := range tests {
		if test.want == "" {
			test.want = test.given
		}
		got, err := redactRaw(json.RawMessage(test.given))
		if err != nil {
			t.Errorf("%s: %v", test.given, err)
		}
		equal(t, test.given, string(got), test.want)
	}
}

func TestRedactText(t *testing.T) {
	tests := []struct{ given, want string }{
		{"reel.mp4", "reel.mp4"},
		{"reel.mov?sig=x", "reel.mov?[redacted]"},
		{"Why? Because: it is so.", "Why? Because: it is so."},
		{"https://host.example:8080/a/b?c", "https://host.example:8080/[redacted]"},
		{"https://host.example", "https://host.example"},
		{"https://host.example/", "https://host.example/"},
		{"https://user:pw@host.example/", "https://[redacted]"},
		{"https://u:p@h/", "https://[redacted]"},
		{"get srt://1.2.3.4:5/x failed", "get srt://1.2.3.4:5/[redacted]"},
		{"by ops.bot@mail.example, ann@b.example", "by [redacted], [redacted]"},
		{"AccountName=a;AccountKey=abc==", "AccountName=a;AccountKey=[redacted]"},
		{`{"password": "x"}`, `{"password": [redacted]`},
		{"Authorization: Bearer x", "Authorization: [redacted]"},
		{"/subscriptions/1/contentKeyPolicies/drm-family", "/subscriptions/1/contentKeyPolicies/drm-family"},
		{"2031-03-04T10:05:12.351891Z", "2031-03-04T10:05:12.351891Z"},
	}
	for _, test := range tests {
		equal(t, test.given, redactText(test.given), test.want)
	}
}

func TestRedactRejectsInvalidJSON(t *testing.T) {
	for _, raw := range []string{"", "{", `{"a":1} 2`, strings.Repeat("[", 20000) + strings.Repeat("]", 20000)} {
		if got, err := redactRaw(json.RawMessage(raw)); err == nil {
			t.Errorf("%.20q became %.20q", raw, got)
		}
	}
}

func TestRedactedDeliveryDecodesToTheSameObservation(t *testing.T) {
	for name, body := range readAll(t, "webhooks/*.json", "webhooks/tolerance/*.json") {
		clean, err := RedactDelivery(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, secret := range secretsOfFixtures {
			if strings.Contains(string(clean), secret) {
				t.Errorf("%s still has %s", name, secret)
			}
		}
		before, err := Decoder{}.Decode(body, received)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after, err := Decoder{}.Decode(clean, received)
		if err != nil {
			t.Fatalf("%s, redacted: %v", name, err)
		}
		equal(t, name, string(encode(t, after)), string(encode(t, before)))
	}
}

func TestRedactDeliveryKeepsAttributesOnly(t *testing.T) {
	given := `{"id":"a?b","source":"https://u:p@app.mk.io/api/v1/projects/p/assets/a?token=t#f","type":"x@y.example",` +
		`"authtoken":"t","data":{"state":"https://h/s","projectName":"p?q","previousState":7,"note":"x?y",` +
		`"resource":{"id":"a?b","state":"https://h/s"}}}`
	want := `{"id":"a?b","source":"https://app.mk.io/api/v1/projects/p/assets/a","type":"x@y.example",` +
		`"authtoken":"[redacted]","data":{"state":"https://h/s","projectName":"p?q","previousState":7,"note":"x?[redacted]",` +
		`"resource":{"id":"a?[redacted]","state":"https://h/[redacted]"}}}`
	for _, batch := range []bool{false, true} {
		if batch {
			given, want = "["+given+","+given+"]", "["+want+","+want+"]"
		}
		got, err := RedactDelivery([]byte(given))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "redacted", string(got), want)
	}
}

func TestRedactDeliveryOfAnotherShape(t *testing.T) {
	got, err := RedactDelivery([]byte(`{"data":[{"state":"https://h/s"}],"id":["x?y"]}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "redacted", string(got), `{"data":[{"state":"https://h/[redacted]"}],"id":["x?[redacted]"]}`)
}

func TestProblemsAreBounded(t *testing.T) {
	errors := make([]any, 2*maxProblems)
	for i := range errors {
		errors[i] = "x" + strings.Repeat("é", maxMessage)
	}
	o, err := Decoder{}.Decode(jobDelivery(t, members{"data.resource": members{"status": members{"errors": errors}}}), received)
	if err != nil || len(o.Problems) != maxProblems {
		t.Fatalf("%d problems, %v", len(o.Problems), err)
	}
	if got := o.Problems[0].Message; got != "x"+strings.Repeat("é", maxMessage/2-1) {
		t.Errorf("a message of %d bytes", len(got))
	}
}

func TestLifeOfARecord(t *testing.T) {
	const created = "2031-03-04T10:00:00.500000Z"
	tests := map[string]struct {
		record members
		want   string
	}{
		"internal id":          {members{"systemData": members{"internalId": "i"}, "metadata": members{"id": "m"}, "properties": members{"created": created}}, "i"},
		"metadata id":          {members{"systemData": members{"internalId": ""}, "metadata": members{"id": "m"}}, "m"},
		"id too long":          {members{"systemData": members{"internalId": strings.Repeat("i", maxText+1)}, "metadata": members{"id": "m"}}, "m"},
		"id no string":         {members{"metadata": members{"id": 7, "created": created}}, "2031-03-04T10:00:00.5Z"},
		"created":              {members{"properties": members{"created": created}}, "2031-03-04T10:00:00.5Z"},
		"created by system":    {members{"properties": members{"created": "then"}, "systemData": members{"createdAt": created}}, "2031-03-04T10:00:00.5Z"},
		"nothing":              {members{"properties": members{"startTime": created}}, ""},
		"properties no object": {members{"properties": []int{1}}, ""},
	}
	for name, test := range tests {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"data.resource": test.record}), received)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, o.Life, test.want)
	}
}
