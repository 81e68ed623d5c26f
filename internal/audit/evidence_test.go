package audit_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/schematest"
)

// collect makes evidence of a log.
func (l *log) collect(r audit.Request) *audit.Evidence {
	l.t.Helper()
	r.Now = r.Until
	r.Made = audit.Made{At: noon, Instance: "bridge-0", Version: "v1.0.0"}
	if r.Verification == nil {
		r.Unverified = "nobody did"
	}
	e, err := audit.Collect(l.t.Context(), eventlog.New(l.js, names), r)
	if err != nil {
		l.t.Fatal(err)
	}
	return e
}

func encode(t *testing.T, e *audit.Evidence) []byte {
	t.Helper()
	file, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	schematest.Evidence(t, file)
	return file
}

func TestEvidenceOfAnEmptyLog(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	e := l.collect(audit.Request{Query: audit.Query{Until: noon}})
	encode(t, e)
	if e.Complete || e.Reason == "" || e.Unverified == "" || len(e.NotProvable) != 1 || len(e.NotPolled) != len(lifecycle.Kinds())-1 {
		t.Errorf("%+v", e)
	}
}

// A verification covers a period if no event of it was stored later.
func TestEvidenceSaysWhetherTheRootCoversThePeriod(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	l.states(1)
	v := audit.NewVerification(l.verify(nil))
	between := time.Now()
	if e := l.collect(audit.Request{Query: audit.Query{Until: between}, Verification: v}); !e.Verification.CoversPeriod {
		t.Error("nothing was stored later, and the root does not cover the period")
	}
	l.states(1)
	if e := l.collect(audit.Request{Query: audit.Query{Until: between}, Verification: v}); !e.Verification.CoversPeriod {
		t.Error("an event after the period counts")
	}
	if e := l.collect(audit.Request{Query: audit.Query{Until: time.Now()}, Verification: v}); e.Verification.CoversPeriod {
		t.Error("an event of the period after the root does not count")
	}
}

// A hostile name is one word of a command, and no part of a path.
func TestEvidenceQuotesNames(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	for project, want := range map[string][2]string{
		"aurora-vod":       {"--project aurora-vod", "mkio-bridge-evidence_aurora-vod_job_"},
		"a'; rm -rf ~; '":  {`--project 'a'\''; rm -rf ~; '\'''`, "mkio-bridge-evidence_a_rm_-rf_"},
		"../../etc/passwd": {"--project '../../etc/passwd'", "mkio-bridge-evidence__.._etc_passwd_"},
		"$(reboot)\r\nX":   {"--project '$(reboot)\r\nX'", "mkio-bridge-evidence__reboot_X_"},
		"…":                {"--project '…'", "mkio-bridge-evidence___job"},
	} {
		e := l.collect(audit.Request{Query: audit.Query{Project: project, Kind: lifecycle.Job, Since: noon.Add(-12 * time.Hour), Until: noon.Add(time.Second)}})
		encode(t, e)
		if command := e.Check[0]; !strings.HasSuffix(command, want[0]+" --kind job") {
			t.Errorf("%q: %s", project, command)
		}
		if name := e.FileName(); !strings.HasPrefix(name, want[1]) || !strings.HasSuffix(name, "_2031-03-04_2031-03-04T120001Z.json") || strings.ContainsAny(name, "/\\\"' \r\n;") {
			t.Errorf("%q: %s", project, name)
		}
	}
}

// The digest depends on what a file says, not on how it is written.
func TestDigestIsOfTheContent(t *testing.T) {
	l := newLog(t, brokertest.Start(t))
	e := l.collect(audit.Request{Query: audit.Query{Project: "é<&>", Until: noon}})
	file := encode(t, e)
	for name, tt := range map[string]struct {
		from, to string
		changed  bool
	}{
		"as it is":       {},
		"other spaces":   {"\n", "\r\n\t", false},
		"escapes":        {"é<&>", `\u00e9\u003c\u0026\u003e`, false},
		"another text":   {"é<&>", "e<&>", true},
		"another number": {`"last": 0`, `"last": 1`, true},
		"another member": {`"complete": false,`, `"complete": false, "more": 1,`, true},
		"another digest": {e.Digest, strings.Repeat("0", 64), true},
		"no digest":      {`"digest"`, `"Digest"`, true},
	} {
		content := file
		if tt.from != "" {
			content = bytes.ReplaceAll(file, []byte(tt.from), []byte(tt.to))
		}
		if _, changed, err := audit.ParseEvidence(content); err != nil || (changed != "") != tt.changed {
			t.Errorf("%s: %q, %v", name, changed, err)
		}
	}
	for name, content := range map[string]string{"text": "x", "list": "[]", "twice": `{"digest":"a","digest":"b"}`, "nothing": "", "another file": `{}`} {
		if _, _, err := audit.ParseEvidence([]byte(content)); err == nil {
			t.Errorf("%s is evidence", name)
		}
	}
}
