package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// publish brings one finished job to the point where its outputs can be played, and prints the addresses. A kill between any
// two lines of it loses nothing: the event is delivered again, each step finds what is done, and does the rest.
func (p *publisher) publish(ctx context.Context, subject string, d data) error {
	over, err := p.superseded(ctx, subject, d)
	if err != nil {
		return err
	}
	if over {
		p.log.Info("job not published: a newer job has its name", "subject", subject)
		return nil
	}
	assets, err := p.outputs(ctx, d)
	if err != nil {
		return err
	}
	if len(assets) == 0 {
		p.log.Warn("job not published: it has no output asset, or was deleted and the bridge omits records", "subject", subject)
		return nil
	}
	var ready []locator
	for _, asset := range assets {
		l, err := p.createLocator(ctx, d.Project, asset)
		if err != nil {
			return err
		}
		ready = append(ready, l)
	}
	host, err := p.startEndpoint(ctx, d.Project)
	if err != nil {
		return err
	}
	for _, l := range ready {
		if err := p.printAddresses(ctx, d, l, host); err != nil {
			return err
		}
	}
	return nil
}

// superseded reports whether the log has a newer life of the job's name: then the outputs may be written again now, and the
// end of that job will have an event of its own.
func (p *publisher) superseded(ctx context.Context, subject string, d data) (bool, error) {
	states := subject[:strings.LastIndexByte(subject, '.')+1] + "*"
	last, err := p.events.GetLastMsgForSubject(ctx, states)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil // aged out
	}
	if err != nil {
		return false, fmt.Errorf("read the last event of %s: %w", states, err)
	}
	_, newest, err := decode(last.Data)
	if err != nil {
		return false, fmt.Errorf("event %d: %w", last.Sequence, err)
	}
	return newest.Evidence.Life != d.Evidence.Life, nil
}

// jobRecord is what this program reads of MK.IO's record of a job.
type jobRecord struct {
	Properties struct {
		State   string
		Outputs []struct{ AssetName string }
	}
}

// outputs returns the names of the job's output assets. It asks MK.IO, because the bridge may be configured to omit records,
// and because the job may have been replaced a moment ago.
func (p *publisher) outputs(ctx context.Context, d data) ([]string, error) {
	var job jobRecord
	err := p.mkio.do(ctx, http.MethodGet, d.Project, []string{"transforms", d.Path[0], "jobs", d.Path[1]}, nil, &job)
	switch {
	case hasStatus(err, http.StatusNotFound):
		job = d.Resource // deleted after it finished; its outputs stay
	case err != nil:
		return nil, err
	case job.Properties.State != "Finished": // a new life that the bridge has not recorded yet, or a lagging replica of MK.IO
		return nil, fmt.Errorf("MK.IO shows the job in state %s", job.Properties.State)
	}
	var assets []string
	for _, o := range job.Properties.Outputs {
		if o.AssetName != "" {
			assets = append(assets, o.AssetName)
		}
	}
	return assets, nil
}

// A locator is what this program reads of MK.IO's record of a streaming locator.
type locator struct {
	Name       string
	Properties struct{ AssetName, ResourceState string }
}

// createLocator returns the locator of an asset when it is Created. It has the asset's name, so that a second attempt, or
// another copy of this program, finds it instead of creating another.
func (p *publisher) createLocator(ctx context.Context, project, asset string) (l locator, err error) {
	path := []string{"streamingLocators", asset}
	err = p.until(ctx, anyState("streaming-locator", project, asset), func() (bool, error) {
		err := p.mkio.do(ctx, http.MethodGet, project, path, nil, &l)
		if hasStatus(err, http.StatusNotFound) {
			if p.dryRun {
				return true, p.would("create streaming locator %s in project %s", asset, project)
			}
			create := map[string]any{"properties": map[string]any{"assetName": asset, "streamingPolicyName": p.policy}}
			if err = p.mkio.do(ctx, http.MethodPut, project, path, create, &l); hasStatus(err, http.StatusBadRequest, http.StatusConflict) {
				// Another copy may have created it since. If it did not, the refusal is the error to report.
				if p.mkio.do(ctx, http.MethodGet, project, path, nil, &l) == nil {
					err = nil
				}
			}
		}
		switch {
		case err != nil:
			return false, err
		case l.Properties.AssetName != asset:
			return false, fmt.Errorf("streaming locator %s is of asset %q: rename or delete it", asset, l.Properties.AssetName)
		case l.Properties.ResourceState == "Error":
			return false, fmt.Errorf("streaming locator %s is in state Error: delete it, so that it is created again", asset)
		}
		return l.Properties.ResourceState == "Created", nil
	})
	l.Name = asset
	return l, err
}

// startEndpoint returns the address of the project's streaming endpoint when it runs, and starts it if it is stopped. Its
// provisioningState does not matter: an endpoint that is provisioned (Succeeded) may be stopped, and then nothing plays.
func (p *publisher) startEndpoint(ctx context.Context, project string) (host string, err error) {
	path := []string{"streamingEndpoints", p.endpoint}
	err = p.until(ctx, anyState("streaming-endpoint", project, p.endpoint), func() (bool, error) {
		var e struct {
			Properties struct{ HostName, CDNBasePath, ResourceState string }
		}
		if err := p.mkio.do(ctx, http.MethodGet, project, path, nil, &e); err != nil {
			return false, err
		}
		host = "https://" + strings.Trim(e.Properties.HostName, "/")
		if base := strings.Trim(e.Properties.CDNBasePath, "/"); base != "" {
			host += "/" + base
		}
		if p.dryRun && e.Properties.ResourceState != "Running" {
			return true, p.would("start streaming endpoint %s in project %s (it is %s)", p.endpoint, project, e.Properties.ResourceState)
		}
		if e.Properties.ResourceState == "Stopped" {
			err := p.mkio.do(ctx, http.MethodPost, project, append(path, "start"), nil, nil)
			if err != nil && !hasStatus(err, http.StatusBadRequest, http.StatusConflict) { // another copy has started it
				return false, err
			}
		}
		return e.Properties.ResourceState == "Running", nil
	})
	return host, err
}

// printAddresses prints the addresses at which an output can be played.
func (p *publisher) printAddresses(ctx context.Context, d data, l locator, host string) error {
	if p.dryRun {
		return p.would("print the addresses of streaming locator %s at %s", l.Name, host)
	}
	var list struct {
		StreamingPaths []struct {
			StreamingProtocol string
			Paths             []string
		}
	}
	path := []string{"streamingLocators", l.Name, "listPaths"}
	if err := p.mkio.do(ctx, http.MethodPost, d.Project, path, json.RawMessage("{}"), &list); err != nil {
		return err
	}
	printed := 0
	for _, group := range list.StreamingPaths {
		for _, path := range group.Paths {
			fmt.Fprintf(p.out, "%s/%s %s %s/%s\n", d.Project, strings.Join(d.Path, "/"), group.StreamingProtocol, host, strings.TrimPrefix(path, "/"))
			printed++
		}
	}
	if printed == 0 {
		return fmt.Errorf("streaming locator %s has no path to play", l.Name)
	}
	return nil
}

// would prints what a dry run leaves out.
func (p *publisher) would(format string, args ...any) error {
	_, err := fmt.Fprintf(p.out, "would "+format+"\n", args...)
	return err
}
