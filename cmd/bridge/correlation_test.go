package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/eventlog"
)

// Only BRIDGE_CORRELATION decides about correlation data, in events and in unapplied deliveries.
func TestCorrelationSetting(t *testing.T) {
	const attached = `{"houseKey":"LH-0417","owner":"desk@example.com"}`
	for setting, want := range map[string]string{"full": attached, "redacted": `{"houseKey":"[redacted]","owner":"[redacted]"}`, "none": ""} {
		b := openWith(t, func(c *config) { c.Correlation, c.Projects = setting, list{"aurora-vod"} })
		body := func(project string) []byte {
			return []byte(`{"specversion":"1.0","id":"c-1","type":"MediaKind.JobFinished","source":"/api/v1/projects/` + project + `/transforms/t/jobs/corr",` +
				`"time":"2031-03-04T10:00:00Z","data":{"projectName":"` + project + `","state":"Finished","resource":{"name":"corr",` +
				`"properties":{"state":"Finished","correlationData":` + attached + `}}}}`)
		}
		if status := deliver(t, b, body("aurora-vod")); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
		if status := deliver(t, b, body("elsewhere")); status != http.StatusAccepted {
			t.Fatalf("status %d", status)
		}
		var record string
		for e, err := range b.events.Events(t.Context(), eventlog.Query{From: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			if got := string(e.Event.Data.CorrelationData); got != want {
				t.Errorf("%s: correlation data %s", setting, got)
			}
			record = string(e.Event.Data.Resource)
		}
		for k, err := range b.events.Unapplied(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{record, string(k.Body)} {
				if !json.Valid([]byte(text)) || strings.Contains(text, "correlationData") != (want != "") || !strings.Contains(text, want) {
					t.Errorf("%s: %s", setting, text)
				}
			}
		}
	}
}

func TestInvalidCorrelationSettingIsExplained(t *testing.T) {
	t.Setenv("BRIDGE_CORRELATION", "some")
	if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "BRIDGE_CORRELATION") || !strings.Contains(err.Error(), "full, redacted or none") {
		t.Errorf("the error is %v", err)
	}
}
