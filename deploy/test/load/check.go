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

// check holds the events of a project against what was acknowledged: each change is there once, in the order of its job,
// and nothing else is.
func check(told string, events io.Reader, out io.Writer) error {
	acknowledged, err := os.ReadFile(told)
	if err != nil {
		return err
	}
	want, err := sequences(bytes.NewReader(acknowledged), func(line []byte) (c change, err error) {
		err = json.Unmarshal(line, &c)
		return c, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", told, err)
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
			fmt.Fprintf(out, "WRONG job %s: acknowledged were %v, and the log has %v\n", name, want[name], is[name])
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d jobs are not in the log as they were acknowledged", wrong, len(jobs))
	}
	if changes == 0 {
		return fmt.Errorf("%s: nothing was acknowledged", told)
	}
	_, err = fmt.Fprintf(out, "all %d acknowledged changes of %d jobs are in the log once and in order, and nothing else is\n", changes, len(want))
	return err
}

// recorded is the change that an event tells.
func recorded(line []byte) (change, error) {
	var event struct {
		Data struct{ Name, State string }
	}
	err := json.Unmarshal(line, &event)
	return change{event.Data.Name, event.Data.State}, err
}

// sequences reads changes, one a line, and returns the states of each job in their order.
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
