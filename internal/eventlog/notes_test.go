package eventlog_test

import (
	"testing"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
)

func TestNotesAreNilBeforeTheFirstBridge(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	if notes, err := eventlog.New(js, names).Notes(t.Context()); notes != nil || err != nil {
		t.Errorf("before: %v, %v", notes, err)
	}
	if notes, err := setUp(t).log.Notes(t.Context()); err != nil || notes == nil || notes.Bucket() != names.NotesBucket() {
		t.Errorf("after: %v, %v", notes, err)
	}
}
