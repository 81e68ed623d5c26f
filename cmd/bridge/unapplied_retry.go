package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/printable"
)

// Limits of a retry.
const (
	retryLimit   = 100              // default of --limit
	retryTimeout = 30 * time.Second // of one request: longer than a bridge takes
	maxResponse  = 64 << 10         // bytes
)

// A retryCall is one invocation of the command, with its connection to the bridge.
type retryCall struct {
	*call
	address string // of the bridge's admin listener
	token   string
	client  *http.Client
	options ingest.RetryOptions
	output  format
}

func retryUnappliedCommand(c *call) *cobra.Command {
	var f unappliedFlags
	r := retryCall{call: c}
	cmd := &cobra.Command{
		Use:   "retry [SEQUENCE…]",
		Short: "retry the deliveries with these sequences, or those that the flags select",
		Long: "retry the deliveries with these sequences, or those that the flags select\n\n" +
			"A delivery that becomes an event, or that the log already has, is deleted from the unapplied deliveries; the\n" +
			"others stay. The bridge decides as for a new delivery, but the time of the retry is no evidence.\n" +
			"Bodies are stored redacted, so the event's record is redacted too, whatever BRIDGE_RESOURCE is.",
		Example: `  mkio-bridge unapplied retry 17 18 --dry-run
  mkio-bridge unapplied retry --reason conflict --project aurora-vod`,
		RunE: func(cmd *cobra.Command, args []string) error {
			sequences, err := sequencesOf(args, cmd.Flags())
			if err == nil {
				err = f.check()
			}
			if err != nil {
				return err
			}
			return r.run(cmd.Context(), sequences, f)
		},
	}
	f.add(cmd, retryLimit)
	set := cmd.Flags()
	set.BoolVar(&r.options.DryRun, "dry-run", false, "print the outcome without writing anything")
	set.BoolVar(&r.options.Keep, "keep", false, "do not delete applied deliveries")
	set.StringVar(&r.address, "bridge", "", "`URL` of the bridge's admin listener (default http://BRIDGE_ADMIN_LISTEN)")
	outputFlag(cmd, &r.output, "an outcome", "")
	return cmd
}

// run retries the sequences; none: those that the flags select.
func (r *retryCall) run(ctx context.Context, sequences []uint64, f unappliedFlags) error {
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	if r.address, err = adminAddress(r.address, conf); err != nil {
		return err
	}
	r.token = conf.AdminToken.value()
	r.client = &http.Client{Timeout: retryTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // no redirects: the token goes to the bridge only
	var chooseErr error
	if len(sequences) == 0 {
		if sequences, chooseErr = r.choose(ctx, &f); sequences == nil && chooseErr != nil {
			return chooseErr
		}
	}
	return errors.Join(chooseErr, r.all(ctx, sequences))
}

// sequencesOf parses the arguments. They exclude flags that select deliveries.
func sequencesOf(arguments []string, set *pflag.FlagSet) ([]uint64, error) {
	var all []uint64
	for _, argument := range arguments {
		n, err := sequenceOf(argument)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	var err error
	set.Visit(func(given *pflag.Flag) {
		if len(all) > 0 && slices.Contains(unappliedFilters, given.Name) {
			err = usageError{fmt.Errorf("sequences and --%s exclude each other", given.Name)}
		}
	})
	return all, err
}

// adminAddress returns the URL of the bridge's admin listener, from --bridge or the settings.
func adminAddress(given string, conf config) (string, error) {
	if given == "" {
		return "http://" + dialAddress(conf.AdminListen), nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", usageError{errors.New("--bridge must be an http or https URL without user, query and fragment, e.g. http://127.0.0.1:9090")}
	}
	return strings.TrimRight(given, "/"), nil
}

// choose reads the sequences that the flags select from NATS. The ones returned with an error can be retried.
func (c *call) choose(ctx context.Context, f *unappliedFlags) (sequences []uint64, err error) {
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

// permanentError is for a retry whose error every further retry would get too.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// all retries the sequences in order. It continues after errors, except for a permanentError.
func (r *retryCall) all(ctx context.Context, sequences []uint64) error {
	var errs []error
	for _, sequence := range sequences {
		result, err := r.one(ctx, sequence)
		if err == nil {
			if err := r.print(result); err != nil {
				return err
			}
			if result.Outcome == ingest.OutcomeCut {
				err = fmt.Errorf("message %d cannot be retried: %s", sequence, printable.Sentence(result.Why))
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
		if _, ok := errors.AsType[permanentError](err); ok {
			break
		}
	}
	return errors.Join(errs...)
}

// one has the bridge retry an unapplied delivery.
func (r *retryCall) one(ctx context.Context, sequence uint64) (admin.RetryResult, error) {
	target := fmt.Sprintf("%s/v1/unapplied/%d/retry?dryRun=%t&keep=%t", r.address, sequence, r.options.DryRun, r.options.Keep)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, http.NoBody)
	if err != nil {
		return admin.RetryResult{}, permanentError{err}
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return admin.RetryResult{}, permanentError{fmt.Errorf("the bridge cannot be reached: %w: check that it runs, and set its address with --bridge or BRIDGE_ADMIN_LISTEN", err)}
	}
	defer response.Body.Close()
	body := io.LimitReader(response.Body, maxResponse)
	if response.StatusCode != http.StatusOK {
		return admin.RetryResult{}, refusal(sequence, response.StatusCode, body)
	}
	var result admin.RetryResult
	if err := json.NewDecoder(body).Decode(&result); err != nil || result.Sequence != sequence {
		return admin.RetryResult{}, permanentError{fmt.Errorf("the response of %s is not a bridge's: check --bridge", r.address)}
	}
	return result, nil
}

// refusal returns the error of a response other than 200.
func refusal(sequence uint64, status int, body io.Reader) error {
	var p struct{ Detail string }
	_ = json.NewDecoder(body).Decode(&p) // anything but a bridge may respond without a detail
	err := fmt.Errorf("message %d: the bridge responded %d %s: %s", sequence, status, http.StatusText(status), printable.Sentence(p.Detail))
	switch status {
	case http.StatusUnauthorized:
		return permanentError{fmt.Errorf("%w: set BRIDGE_ADMIN_TOKEN as the bridge has it", err)}
	case http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable:
		return err
	}
	return permanentError{err}
}

// print writes the outcome of one retry.
func (r *retryCall) print(result admin.RetryResult) error {
	if r.output.isObject() {
		return r.output.print(r.stdout, result)
	}
	var notes []string
	if result.Applied {
		notes = append(notes, "now an event")
	}
	switch {
	case r.options.DryRun:
		notes = append(notes, "nothing was written")
	case result.Removed:
		notes = append(notes, "deleted from unapplied")
	default:
		notes = append(notes, "still unapplied")
	}
	_, err := fmt.Fprintf(r.stdout, "%6d  %-12s  %s [%s]\n", result.Sequence, printable.Name(result.Outcome), printable.Sentence(result.Why), strings.Join(notes, ", "))
	return err
}
