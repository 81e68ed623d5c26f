package rule

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/mkio"
)

// A Reconciler reconciles the webhook rule of one name, in any project.
type Reconciler struct {
	Client *mkio.Client
	Notes  jetstream.KeyValue // the bucket for lastPut; nil: none yet, so the rule is put each time
	URL    string             // the bridge's public URL
	Name   string             // of the rule
	Secret func() string      // the current one

	now func() time.Time // nil: time.Now
}

// Plan returns what Reconcile would change.
func (r Reconciler) Plan(ctx context.Context, project string, force bool) (Change, error) {
	p, err := r.plan(ctx, project, force)
	return p.change, err
}

// Reconcile updates the rule of a project where it differs from the desired one, or creates it. With force it also takes over a
// rule with another URL and enables a disabled one. It returns a [DeniedError] if the token lacks a right, an [OtherURLError] if
// the rule has another URL, an [AddressError], [ErrNoSecret], or an error of MK.IO or NATS.
func (r Reconciler) Reconcile(ctx context.Context, project string, force bool) (Change, error) {
	p, err := r.plan(ctx, project, force)
	if err != nil || p.change.Empty() {
		return p.change, err
	}
	stored, accepted, err := r.put(ctx, project, p.want)
	if err != nil {
		right := "webhooks.config.update"
		if p.change.Creates {
			right = "webhooks.config.create"
		}
		return p.change, wrap(err, project, right)
	}
	p.describe(accepted)
	p.change.Found = Found{Read: true, Exists: true, Enabled: true, URL: p.want.URL}
	last := newLastPut(stored.ID, p.secret)
	last.Events, last.RequestedAt = accepted, p.requestedAt
	if err := r.storeLastPut(ctx, project, last); err != nil {
		p.change.warn(fmt.Sprintf("hash of the secret not stored, so the next check of a running bridge sets the rule once more and stores it: %v", err))
	}
	return p.change, nil
}

// A plan is the current rule, the desired one, and the difference.
type plan struct {
	current     *mkio.Rule // nil where there is none
	want        mkio.RuleSpec
	secret      string
	state       secretState
	lastPut     lastPut
	requestedAt time.Time // when all types were last requested; now if this plan requests them
	change      Change
}

func (r Reconciler) plan(ctx context.Context, project string, force bool) (plan, error) {
	p := plan{change: Change{Project: project, Rule: r.Name, Changes: []string{}, Warnings: []string{}}}
	address, err := Address(r.URL)
	if err != nil {
		return p, &AddressError{err}
	}
	if p.secret = r.Secret(); p.secret == "" {
		return p, ErrNoSecret
	}
	if p.lastPut, err = r.loadLastPut(ctx, project); err != nil {
		return p, err
	}
	current, err := r.Client.Rule(ctx, project, r.Name)
	switch {
	case err == nil:
		p.current = &current
	case !mkio.IsNotFound(err):
		return p, wrap(err, project, "webhooks.config.get")
	}
	p.change.Creates, p.change.Found = p.current == nil, foundOf(p.current, address)
	p.want = mkio.RuleSpec{Enabled: true, URL: address, SecretHeaders: mkio.Secrets{SecretHeader: p.secret}}
	p.want.Events, p.requestedAt = wantedTypes(p.lastPut, r.clock())
	if p.current != nil {
		p.want.Headers, _ = withoutSecret(current.Headers)
		p.want.QueryParams = current.QueryParams
		p.state = compareSecret(p.lastPut, current.ID, p.secret)
		if !SameAddress(current.URL, address) && !force {
			return p, &OtherURLError{Project: project, Rule: r.Name, Is: origin(current.URL), Want: origin(address)}
		}
		if !current.Enabled && !p.lastPut.isOf(current.ID) && !force {
			p.change.warn("rule is disabled and not known to be this bridge's, so it stays disabled and delivers nothing; mkio-bridge webhook register --force enables it")
			return p, nil
		}
	}
	p.describe(p.want.Events)
	return p, nil
}

// describe sets the wanted event types and the resulting change.
func (p *plan) describe(types []string) {
	p.want.Events = types
	p.change.Changes = append([]string{}, diff(p.current, p.want, p.state)...)
	p.change.Warnings = []string{}
	if refused := subtract(mkio.Types(), types); len(refused) > 0 {
		p.change.warn("MK.IO refuses the event types " + strings.Join(refused, ", ") + "; polling covers them")
	}
}

// put puts the rule, without the event types that MK.IO refuses. It returns the rule and the types that were accepted.
func (r Reconciler) put(ctx context.Context, project string, want mkio.RuleSpec) (mkio.Rule, []string, error) {
	all := want.Events
	var first error
	try := func(types []string) (mkio.Rule, bool, error) {
		want.Events = types
		stored, err := r.Client.PutRule(ctx, project, r.Name, want)
		if first == nil {
			first = err // of the rule with all types, so its message is the most useful
		}
		status := mkio.StatusOf(err)
		return stored, status == http.StatusBadRequest || status == http.StatusUnprocessableEntity, err
	}
	for types := all; ; {
		stored, refused, err := try(types)
		if !refused {
			return stored, types, err
		}
		rest := withoutNamed(types, err)
		if len(rest) == 0 || len(rest) == len(types) {
			break
		}
		types = rest
	}
	types := all
	for _, prefix := range optionalPrefixes {
		rest := withoutPrefix(types, prefix)
		if len(rest) == 0 || len(rest) == len(types) {
			continue
		}
		types = rest
		if stored, refused, err := try(types); !refused {
			return stored, types, err
		}
	}
	return mkio.Rule{}, nil, first
}

func (r Reconciler) clock() time.Time {
	if r.now != nil {
		return r.now().UTC()
	}
	return time.Now().UTC()
}
