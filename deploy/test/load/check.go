package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// check compares a project's events with the file of acknowledged changes: the log must have each change once, in order per
// job, and nothing else. events has one JSON object per line.
func check(path string, events io.Reader, out io.Writer) error {
	acknowledged, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	want, err := sequences(bytes.NewReader(acknowledged), func(line []byte) (c change, err error) {
		err = json.Unmarshal(line, &c)
		return c, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	is, err := sequences(events, recorded)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	wrong, changes := 0, 0
	jobs := maps.Clone(want)
	maps.Copy(jobs, is)
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		changes += len(want[name])
		if !slices.Equal(want[name], is[name]) {
			wrong++
			fmt.Fprintf(out, "WRONG job %s: acknowledged %v, log has %v\n", name, want[name], is[name])
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d jobs differ between the log and the acknowledged changes", wrong, len(jobs))
	}
	if changes == 0 {
		return fmt.Errorf("%s has no acknowledged changes", path)
	}
	_, err = fmt.Fprintf(out, "the log has all %d acknowledged changes of %d jobs once and in order, and nothing else\n", changes, len(want))
	return err
}

// recorded returns the change that an event records.
func recorded(line []byte) (change, error) {
	var event struct {
		Data struct{ Name, State string }
	}
	err := json.Unmarshal(line, &event)
	return change{event.Data.Name, event.Data.State}, err
}

// sequences reads changes, one per line, and returns the states of each job in order.
func sequences(lines io.Reader, parse func([]byte) (change, error)) (map[string][]string, error) {
	found := map[string][]string{}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		c, err := parse(scanner.Bytes())
		if err != nil {
			return nil, err
		}
		found[c.Job] = append(found[c.Job], c.State)
	}
	return found, scanner.Err()
}
