package mkio

import (
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

var storageList = Lists("aurora-vod", []lifecycle.Kind{lifecycle.Storage})[0]

// A storage's state is that of its private link, empty without one. Without an active credential its provisioning has failed.
func TestStorageRows(t *testing.T) {
	for raw, want := range map[string]string{
		string(readFile(t, "records/storage.json")):                                                                     "aurorastore Running ",
		`{"metadata":{"name":"s"},"status":{"activeCredentialId":null}}`:                                                "s  Failed",
		`{"metadata":{"name":"s"},"status":{"activeCredentialId":"c-1"}}`:                                               "s  ",
		`{"metadata":{"name":"s"},"status":{}}`:                                                                         "s  ",
		`{"metadata":{"name":"s"}}`:                                                                                     "s  ",
		`{"metadata":{"name":"s"},"status":null}`:                                                                       "s  ",
		`{"metadata":{"name":"s"},"status":{"privateLinkServiceConnectionStatus":null,"activeCredentialId":"c-1"}}`:     "s  ",
		`{"metadata":{"name":"s"},"status":{"privateLinkServiceConnectionStatus":"Pending","activeCredentialId":null}}`: "s Pending Failed",
	} {
		row, ok := (&rowReader{}).listRow(storageList, value(raw))
		if got := row.Key.Name() + " " + row.State + " " + row.Provisioning; !ok || !row.HasState || got != want {
			t.Errorf("%s is read as %q, want %q", raw, got, want)
		}
	}
	const unreadable = `{"metadata":{"name":"s"},"status":{"privateLinkServiceConnectionStatus":7}}`
	if row, _ := (&rowReader{}).listRow(storageList, value(unreadable)); row.HasState {
		t.Errorf("the state is read as %q", row.State)
	}
}

// The page of the fixtures has a storage without credential and one whose link waits for approval.
func TestStorageList(t *testing.T) {
	page := value(readFile(t, "lists/storage.page-1.json"))
	var got []string
	reader := &rowReader{}
	for v := range page.at("value").elements() {
		row, ok := reader.listRow(storageList, v)
		if !ok {
			t.Fatal("a row is unreadable")
		}
		got = append(got, strings.Join([]string{row.Key.String(), row.State, row.Provisioning, row.Life}, " "))
	}
	equal(t, "rows", strings.Join(got, "\n"), "storage aurora-vod/aurora-s3  Failed b35e7d19-9c42-5d36-8f0b-2a4c6e8d1f73\n"+
		"storage aurora-vod/auroraingest Pending  8d4f0a57-2b7e-5c1a-a6b9-7e5d3c2f1b64")
}

// A redacted record of a storage reads like the record itself.
func TestRedactedStorageReadsTheSame(t *testing.T) {
	for _, raw := range []string{string(readFile(t, "records/storage.json")), `{"metadata":{"name":"s"},"status":{"activeCredentialId":null}}`} {
		clean, err := redactRaw([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(clean), "REDACT-ME") {
			t.Errorf("the record has its credential: %s", clean)
		}
		before, _ := (&rowReader{}).listRow(storageList, value(raw))
		after, _ := (&rowReader{}).listRow(storageList, value(clean))
		if before.State != after.State || before.Provisioning != after.Provisioning || before.Life != after.Life {
			t.Errorf("redacted it is read as %+v, else %+v", after, before)
		}
	}
}
