package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/lifecycle"
)

// documents decodes a stream of YAML documents.
func documents(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var d map[string]any
		if err := decoder.Decode(&d); err != nil {
			if err.Error() != "EOF" {
				t.Fatalf("%v: %s", err, text)
			}
			return all
		}
		all = append(all, d)
	}
}

func TestOutputFormats(t *testing.T) {
	_, call := bridgeWithEvents(t)
	const job, operation = "job/aurora-vod/ladder-hd/ep-0417", "scheduled-operation/"
	for args, want := range map[string]string{
		"events --kind job -o name":                                    job + "\n" + job + "\n",
		"state --kind job --output name":                               job + "\n",
		"wait job aurora-vod ladder-hd ep-0417 --for Finished -o name": job + "\n",
	} {
		if out, errs, code := call(strings.Fields(args)...); code != exitOK || out != want {
			t.Errorf("%s: exit %d: %s%s", args, code, out, errs)
		}
	}
	if out, _, _ := call("state", "-o", "name", "--kind", "scheduled-operation"); !strings.HasPrefix(out, operation) || strings.Count(out, "/") != 4 {
		t.Errorf("an operation's name is %s", out)
	}
	for _, command := range []string{"events", "state"} {
		lines, _, _ := call(command, "-o", "json")
		out, errs, code := call(command, "-o", "yaml")
		all := documents(t, out)
		if code != exitOK || len(all) < 3 || strings.Count(out, "---\n") != len(all) || strings.Count(lines, "\n") != len(all) {
			t.Fatalf("%s: exit %d: %s%s", command, code, out, errs)
		}
		if !strings.HasPrefix(out, "---\nspecversion: \"1.0\"\nid: ") {
			t.Errorf("%s: the fields are not in the order of the event: %s", command, out)
		}
		for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			var is map[string]any
			if err := json.Unmarshal([]byte(line), &is); err != nil {
				t.Fatal(err)
			}
			if all[i]["id"] != is["id"] || all[i]["source"] != is["source"] {
				t.Errorf("%s: document %d is %v, want %v", command, i, all[i], is)
			}
		}
	}
}

// Any JSON has the same content as YAML, texts that look like other types and characters outside of the BMP included.
func TestYAMLHasTheSameContent(t *testing.T) {
	const text = `{"b":"true","a":["yes","~","null","1e3","0x1f","2031-03-04T10:00:00Z","=","","- x","#","a: b"," leading"],"n":[1,-0.5,1e3,12345678901],"t":true,"z":null,` +
		`"e":{},"l":[],"u":"\ud83d\ude00 \u00e9 \u2028 \u0007","m":"one\ntwo\n","s":"a\/b","":"<&>"}`
	var out bytes.Buffer
	if err := printYAML(&out, []byte(text)); err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	is, err := json.Marshal(documents(t, out.String())[0]) // numbers have one type in JSON
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(is, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nis\n%s", text, out.String())
	}
	if !strings.HasPrefix(out.String(), "---\nb: \"true\"\na:\n") {
		t.Errorf("the members have another order: %s", out.String())
	}
}

// A table has its headers in a pipe too, and --no-headers drops them. Other formats have none.
func TestTableHeaders(t *testing.T) {
	_, call := bridgeWithEvents(t)
	for args, header := range map[string]bool{"state": true, "state --no-headers": false, "state -o json": false, "state -o name": false, "unapplied list": true, "unapplied list --no-headers": false} {
		out, errs, code := call(strings.Fields(args)...)
		if has := strings.Contains(out, "RESOURCE  "); code != exitOK || has != header {
			t.Errorf("%s: exit %d: %s%s", args, code, out, errs)
		}
	}
}

func TestTailAndLimit(t *testing.T) {
	_, call := bridgeWithEvents(t)
	for args, want := range map[string]string{
		"events --tail 2":                                "3 4",
		"events --tail 1 --kind job":                     "2",
		"events --tail 20":                               "1 2 3 4",
		"events --tail 1 --phase transitional --seq 1":   "4",
		"events --tail 1 --kind job --until 0s --follow": "2",
		"events --limit 2":                               "1 2",
		"events --limit 1 --kind job --seq 2":            "2",
		"events --follow --limit 4":                      "1 2 3 4",
		"events --limit 20":                              "1 2 3 4",
	} {
		if out, errs, code := call(strings.Fields(args)...); code != exitOK || firstColumn(out) != want {
			t.Errorf("%s: exit %d, want %s: %s%s", args, code, want, out, errs)
		}
	}
}

// Colours are for terminals only, and nobody has to have them.
func TestColours(t *testing.T) {
	if got := colour(true).ofPhase(lifecycle.Failed, "Error"); got != "\x1b[31mError\x1b[0m" {
		t.Errorf("a failure is %q", got)
	}
	for _, phase := range lifecycle.Phases() {
		if got := colour(false).ofPhase(phase, "x"); got != "x" {
			t.Errorf("%s without colours is %q", phase, got)
		}
	}
	if got := colour(true).ofLevel(doctor.OK, "ok"); got != "\x1b[32mok\x1b[0m" {
		t.Errorf("a check that succeeds is %q", got)
	}
	if wantsColour("1", "xterm") || wantsColour("", "dumb") || !wantsColour("", "xterm") {
		t.Error("NO_COLOR and TERM=dumb are not respected")
	}
	if c := (&call{stdout: &bytes.Buffer{}}); c.colour() {
		t.Error("output that is no terminal has colours")
	}
}
