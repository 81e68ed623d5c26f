package poll

import "context"

// keepRule keeps the project's webhook rule right until the context ends. Without a rule polling goes on: it
// takes longer to see what a webhook would have told.
func (p *project) keepRule(ctx context.Context) {
	for failures := 0; ; {
		if p.identity.refused() != nil { // the rule would be put into somebody else's project
			if pause(ctx, p.pace.sweep) != nil {
				return
			}
			continue
		}
		err := p.Log.Trouble() // what was put could not be noted, and would be put again
		if err == nil {
			err = p.KeepRule(ctx, p.name)
		}
		wait := p.pace.sweep
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
		default:
			failures++
			p.metrics.failed(p.name, "rule", err)
			p.log.Log(ctx, p.outage.level(err, failures == 1), "the webhook rule cannot be kept right; polling goes on, and it is tried again", "rule", p.Rule, "error", err, "do", p.advice(err))
			wait = max(wait, retryAfter(failures))
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}
