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

// A Reconciler keeps one webhook rule, in whatever projects.
type Reconciler struct {
	Client *mkio.Client
	Notes  jetstream.KeyValue // nil: there is no bucket yet, and nothing is noted
	URL    string             // the bridge's public URL
	Name   string             // of the rule
	Secret func() string      // the current one

	now func() time.Time // nil: time.Now
}

// Plan tells what Reconcile would change.
func (k Reconciler) Plan(ctx context.Context, project string, force bool) (Change, error) {
	p, err := k.plan(ctx, project, force)
	return p.change, err
}

// Reconcile makes the rule of a project what it must be, where it is not. A rule of somebody else's is taken over
// by force alone. The token that may not is a [DeniedError], somebody else's rule an [OtherURLError].
func (k Reconciler) Reconcile(ctx context.Context, project string, force bool) (Change, error) {
	p, err := k.plan(ctx, project, force)
	if err != nil || p.change.None() {
		return p.change, err
	}
	made, accepted, err := k.put(ctx, project, p.want)
	if err != nil {
		right := "webhooks.config.update"
		if p.change.Creates {
			right = "webhooks.config.create"
		}
		return p.change, explain(err, project, right)
	}
	p.settle(accepted)
	n := newNote(made.ID, p.secret)
	n.Events, n.Asked = accepted, p.asked
	if err := k.writeNote(ctx, project, n); err != nil {
		p.change.warn(fmt.Sprintf("nothing is noted, so the rule is put once more the next time: %v", err))
	}
	return p.change, nil
}

// A plan is a rule as it is, as it is to be, and the way from one to the other.
type plan struct {
	is     *mkio.Rule // nil where there is none
	want   mkio.RuleSpec
	secret string
	state  secretState
	note   note
	asked  time.Time // when all types of events were last asked for, or are now
	change Change
}

func (k Reconciler) plan(ctx context.Context, project string, force bool) (plan, error) {
	p := plan{change: Change{Project: project, Rule: k.Name, Changes: []string{}, Warnings: []string{}}}
	address, err := Address(k.URL)
	if err != nil {
		return p, &AddressError{err}
	}
	if p.secret = k.Secret(); p.secret == "" {
		return p, ErrNoSecret
	}
	if p.note, err = k.readNote(ctx, project); err != nil {
		return p, err
	}
	is, err := k.Client.Rule(ctx, project, k.Name)
	switch {
	case err == nil:
		p.is = &is
	case !mkio.IsNotFound(err):
		return p, explain(err, project, "webhooks.config.get")
	}
	p.change.Creates = p.is == nil
	p.want = mkio.RuleSpec{Enabled: true, URL: address, SecretHeaders: mkio.Secrets{SecretHeader: p.secret}}
	p.want.Events, p.asked = wantedTypes(p.note, k.clock())
	if p.is != nil {
		p.want.Headers, _ = inTheOpen(is.Headers)
		p.want.QueryParams = is.QueryParams
		p.state = p.state.of(p.note, is.ID, p.secret)
		if !Same(is.URL, address) && !force {
			return p, &OtherURLError{Project: project, Rule: k.Name, Is: origin(is.URL), Want: origin(address)}
		}
		if !is.Enabled && !p.note.of(is.ID) && !force {
			p.change.warn("the rule is disabled, and not known to be this bridge's: it is left so, and delivers nothing; bridge webhook register --force enables it")
			return p, nil
		}
	}
	p.settle(p.want.Events)
	return p, nil
}

// settle tells the change to a rule with the given types.
func (p *plan) settle(types []string) {
	p.want.Events = types
	p.change.Changes = append([]string{}, changes(p.is, p.want, p.state)...)
	p.change.Warnings = []string{}
	if refused := missing(mkio.Types(), types); len(refused) > 0 {
		p.change.warn("MK.IO refuses the event types " + strings.Join(refused, ", ") + "; what they would tell is found by polling")
	}
}

// put puts the rule, without the types that MK.IO refuses, and returns those that it accepted.
func (k Reconciler) put(ctx context.Context, project string, want mkio.RuleSpec) (mkio.Rule, []string, error) {
	all := want.Events
	var first error
	try := func(types []string) (mkio.Rule, bool, error) {
		want.Events = types
		made, err := k.Client.PutRule(ctx, project, k.Name, want)
		if first == nil {
			first = err // it is of the rule as it should be, and says most
		}
		status := mkio.StatusOf(err)
		return made, status == http.StatusBadRequest || status == http.StatusUnprocessableEntity, err
	}
	for types := all; ; {
		made, refused, err := try(types)
		if !refused {
			return made, types, err
		}
		rest := withoutNamed(types, err)
		if len(rest) == 0 || len(rest) == len(types) {
			break
		}
		types = rest
	}
	types := all
	for _, beginning := range optional {
		rest := withoutPrefix(types, beginning)
		if len(rest) == 0 || len(rest) == len(types) {
			continue
		}
		types = rest
		if made, refused, err := try(types); !refused {
			return made, types, err
		}
	}
	return mkio.Rule{}, nil, first
}

func (k Reconciler) clock() time.Time {
	if k.now != nil {
		return k.now().UTC()
	}
	return time.Now().UTC()
}
