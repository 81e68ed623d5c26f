package mkio

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// Common spellings of a time are parsed, without a zone as UTC. Nothing else is.
func TestParseTimeFormats(t *testing.T) {
	const at = "2031-03-04T10:00:00.5Z"
	for given, want := range map[string]string{
		"2031-03-04T10:00:00.5Z": at, "2031-03-04t10:00:00.5z": at, "2031-03-04T12:00:00.5+02:00": at,
		"2031-03-04T10:00:00.5": at, "2031-03-04 10:00:00.5": at, "2031-03-04 10:00:00.5Z": at,
		"2031-03-04T10:00:00.5+0000": at, "2031-03-04T12:00:00.5+0200": at, "2031-03-04T08:00:00.5-02": at,
		"2031-03-04 10:00:00.5 +00:00": at, "2031-03-04 10:00:00.5 UTC": at, " 2031-03-04T10:00:00.5Z ": at,
		"2031-03-04T10:00:00.500000000000000": at, "2031-03-04T10:00:00,5Z": at,
		"2031-03-04T10:00:00.1234567": "2031-03-04T10:00:00.1234567Z", // as Azure Media Services wrote it
		"2031-03-04T10:00:00":         "2031-03-04T10:00:00Z",

		"": "", " ": "", "yesterday": "", "2031-03-04": "", "10:00:00": "", "1930644000": "", "T": "", "2031-02-30T10:00:00": "",
		"9999-12-31T23:59:59-01:00": "", "0001-01-01T00:00:00": "", "2031-03-04T10:00:00 PST": "", "2031-03-04T10:00:00Z Z": "",
	} {
		got, ok := parseTime(given)
		if stamp(got) != want || ok && want == "" && !got.IsZero() {
			t.Errorf("%q is read as %q, want %q", given, stamp(got), want)
		}
	}
}

// A delivery with unreadable evidence is still decoded.
func TestUnreadableEvidenceIsIgnored(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	unreadable := map[string]any{"a number": 7, "an object": members{"a": 1}, "a list": []int{1}, "true": true, "null": rawNull, "too long": long}
	for _, name := range []string{"id", "time", "datacontenttype", "data.previousState", "data.projectName", "data.resource", "subject"} {
		for what, value := range unreadable {
			if name == "data.resource" && what == "an object" {
				continue // an object here is a valid record
			}
			t.Run(name+" "+what, func(t *testing.T) {
				o, err := Decoder{Projects: []string{"aurora-vod"}}.Decode(jobDelivery(t, members{name: value}), received)
				if err != nil {
					t.Fatal(err)
				}
				if o.State != "Finished" || o.Key.Name() != "ep-0417" || !o.At.IsZero() || o.ReportedPrevious != nil || o.Resource != nil {
					t.Errorf("read as %+v", o)
				}
			})
		}
	}
	for _, name := range []string{"id", "time"} {
		if _, err := (Decoder{}).Decode(jobDelivery(t, members{name: ""}), received); err != nil {
			t.Errorf("an empty %s: %v", name, err)
		}
	}
	for _, time := range []string{"yesterday", "9999-12-31T23:59:59-01:00", "2031-03-04"} {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"time": time}), received)
		if err != nil || !o.At.IsZero() || !o.Delivery.Time.IsZero() {
			t.Errorf("time %q: %+v, %v", time, o, err)
		}
	}
}

// If data.state is unreadable, the state is that of the record.
func TestUnreadableStateFallsBackToTheRecord(t *testing.T) {
	record := members{"properties": members{"state": "Error"}}
	for _, state := range []any{7, members{}, strings.Repeat("x", maxText+1)} {
		o, err := Decoder{}.Decode(jobDelivery(t, members{"data.state": state, "data.resource": record}), received)
		if err != nil || o.State != "Error" {
			t.Errorf("state %.20q: %q, %v", state, o.State, err)
		}
	}
}

// A delivery without a readable id gets the digest of its body, so that its repetition has the same id and others do not.
func TestDeliveryWithoutIDGetsItsDigest(t *testing.T) {
	read := func(changes members) lifecycle.Observation {
		o, err := Decoder{}.Decode(jobDelivery(t, changes), received)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	one, again, other := read(members{"id": 7}), read(members{"id": 7}), read(members{"id": 7, "data.state": "Error"})
	if id := one.Delivery.ID; !strings.HasPrefix(id, "sha256:") || id != again.Delivery.ID || id == other.Delivery.ID {
		t.Errorf("ids %q, %q, %q", id, again.Delivery.ID, other.Delivery.ID)
	}
}

// An unreadable member of a record does not affect the others.
func TestUnreadableRecordMembersAreIgnored(t *testing.T) {
	for _, odd := range []any{7, "", "yesterday", members{}, []int{1}} {
		record := members{
			"properties": members{"state": "Finished", "created": odd, "lastModified": odd, "startTime": odd, "correlationData": 5, "outputs": odd},
			"systemData": members{"internalId": "i-1", "createdAt": "2031-03-04 09:00:00", "lastModifiedAt": "2031-03-04T10:00:00+0000"},
			"status":     odd, "metadata": odd, "spec": odd,
		}
		o, err := Decoder{}.Decode(jobDelivery(t, members{"data.resource": record}), received)
		if err != nil {
			t.Fatal(err)
		}
		if stamp(o.Created) != "2031-03-04T09:00:00Z" || stamp(o.Modified) != "2031-03-04T10:00:00Z" || o.Life != "i-1" {
			t.Errorf("beside %v: created %s, modified %s, life %q", odd, o.Created, o.Modified, o.Life)
		}
	}
}

// A row of the delivery history identifies its resource even if its time is unreadable.
func TestHistoryRowWithUnreadableTime(t *testing.T) {
	for given, want := range map[string]time.Time{
		`"2031-03-04T10:00:00"`: time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC), `""`: {}, `7`: {}, `null`: {},
	} {
		v, err := parse([]byte(`{"created": ` + given + `, "source": "/api/v1/projects/p/transforms/t/jobs/j", "status": "Failed", "type": 1}`))
		if err != nil {
			t.Fatal(err)
		}
		d, ok := pastDelivery("p", v)
		if key, found := d.Key(); !ok || !found || key.Name() != "j" || !d.Created.Equal(want) {
			t.Errorf("created %s: %+v", given, d)
		}
	}
}
