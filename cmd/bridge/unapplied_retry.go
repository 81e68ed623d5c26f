package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/printable"
)

// Limits of a retry.
const (
	retryLimit = 100              // where nobody says another
	retryTime  = 30 * time.Second // for one: a bridge takes no longer to answer
	maxAnswer  = 64 << 10         // bytes
)

// A retryCall is the command with what it needs of the bridge.
type retryCall struct {
	*call
	address string // of the bridge's admin listener
	token   string
	client  *http.Client
	options ingest.RetryOptions
	output  string
}

func runRetryUnapplied(ctx context.Context, c *call) error {
	var f keptFlags
	r := retryCall{call: c}
	set := c.flags()
	f.add(set, retryLimit)
	set.BoolVar(&r.options.DryRun, "dry-run", false, "say what would become of them, and write nothing")
	set.BoolVar(&r.options.Keep, "keep", false, "remove none")
	outputFlag(set, &r.output, "one object a line")
	bridge := set.String("bridge", "", "address of the bridge's admin listener (default http://BRIDGE_ADMIN_LISTEN)")
	arguments, err := c.parse(set, len(c.args))
	if err != nil {
		return err
	}
	sequences, err := sequencesOf(arguments, set)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return err
	}
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	if r.address, err = adminAddress(*bridge, conf); err != nil {
		return err
	}
	r.token = conf.AdminToken.value()
	r.client = &http.Client{Timeout: retryTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // who has the token is asked, and nobody else
	var wrong error
	if len(sequences) == 0 {
		if sequences, wrong = c.choose(ctx, &f); sequences == nil && wrong != nil {
			return wrong
		}
	}
	return errors.Join(wrong, r.all(ctx, sequences))
}

// sequencesOf reads the arguments. Flags that choose choose among all that is kept.
func sequencesOf(arguments []string, set *flag.FlagSet) ([]uint64, error) {
	var all []uint64
	for _, argument := range arguments {
		n, err := sequenceOf(argument)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	var err error
	set.Visit(func(given *flag.Flag) {
		if len(all) > 0 && slices.Contains(keptFilters, given.Name) {
			err = usageError{fmt.Errorf("sequences and --%s exclude each other", given.Name)}
		}
	})
	return all, err
}

// adminAddress is where a bridge is asked.
func adminAddress(given string, conf config) (string, error) {
	if given == "" {
		return "http://" + reachable(conf.AdminListen), nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", usageError{errors.New("--bridge must be an http or https address without user, query and fragment, e.g. http://127.0.0.1:9090")}
	}
	return strings.TrimRight(given, "/"), nil
}

// choose reads, over NATS, what the flags choose. What it returns beside an error may be retried.
func (c *call) choose(ctx context.Context, f *keptFlags) (sequences []uint64, err error) {
	log, done, err := c.openLog(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	f.query.NoBody = true
	more, err := f.each(ctx, log, func(k eventlog.Unapplied) error { sequences = append(sequences, k.Sequence); return nil })
	if more {
		fmt.Fprintf(c.stderr, "there are more than --limit %d: the oldest are retried\n", f.limit)
	}
	return sequences, err
}

// hopelessError is for a retry after whose failure no other will do better.
type hopelessError struct{ error }

func (e hopelessError) Unwrap() error { return e.error }

// all retries one after the other. What fails does not keep the others from it.
func (r *retryCall) all(ctx context.Context, sequences []uint64) error {
	var errs []error
	for _, sequence := range sequences {
		became, err := r.one(ctx, sequence)
		if err == nil {
			if err := r.print(became); err != nil {
				return err
			}
			if became.Outcome == ingest.OutcomeCut {
				err = fmt.Errorf("message %d cannot be retried: %s", sequence, printable.Sentence(became.Why))
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
		if _, ok := errors.AsType[hopelessError](err); ok {
			break
		}
	}
	return errors.Join(errs...)
}

// one asks the bridge to retry a kept delivery.
func (r *retryCall) one(ctx context.Context, sequence uint64) (admin.RetryResult, error) {
	target := fmt.Sprintf("%s/v1/unapplied/%d/retry?dryRun=%t&keep=%t", r.address, sequence, r.options.DryRun, r.options.Keep)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, http.NoBody)
	if err != nil {
		return admin.RetryResult{}, hopelessError{err}
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return admin.RetryResult{}, hopelessError{fmt.Errorf("the bridge cannot be reached: %w: see that it runs, and say where with --bridge or %s_ADMIN_LISTEN", err, prefix)}
	}
	defer response.Body.Close()
	body := io.LimitReader(response.Body, maxAnswer)
	if response.StatusCode != http.StatusOK {
		return admin.RetryResult{}, refusal(sequence, response.StatusCode, body)
	}
	var became admin.RetryResult
	if err := json.NewDecoder(body).Decode(&became); err != nil || became.Sequence != sequence {
		return admin.RetryResult{}, hopelessError{fmt.Errorf("%s does not answer as a bridge", r.address)}
	}
	return became, nil
}

// refusal says why a bridge retried nothing.
func refusal(sequence uint64, status int, body io.Reader) error {
	var p struct{ Detail string }
	_ = json.NewDecoder(body).Decode(&p) // who is no bridge may say anything
	err := fmt.Errorf("message %d: the bridge answers %d %s: %s", sequence, status, http.StatusText(status), printable.Sentence(p.Detail))
	switch status {
	case http.StatusUnauthorized:
		return hopelessError{fmt.Errorf("%w: set %s_ADMIN_TOKEN as the bridge has it", err, prefix)}
	case http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable:
		return err
	}
	return hopelessError{err}
}

// print writes what became of one.
func (r *retryCall) print(became admin.RetryResult) error {
	if r.output == "json" {
		return printJSON(r.stdout, became)
	}
	var so []string
	if became.Applied {
		so = append(so, "it is an event now")
	}
	switch {
	case r.options.DryRun:
		so = append(so, "nothing was written")
	case became.Removed:
		so = append(so, "removed")
	default:
		so = append(so, "it stays")
	}
	_, err := fmt.Fprintf(r.stdout, "%6d  %-12s  %s [%s]\n", became.Sequence, printable.Name(became.Outcome), printable.Sentence(became.Why), strings.Join(so, ", "))
	return err
}
