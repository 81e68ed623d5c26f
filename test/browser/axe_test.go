//go:build e2e

package browser

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/axe-core/axe.min.js
var axeSource string

// An axeViolation is a rule that elements of a page break.
type axeViolation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

func (v axeViolation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes {
		fmt.Fprintf(&b, "\n  %s\n    %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
	}
	return b.String()
}

// axe fails the test for each accessibility rule of WCAG 2.2 AA, or of axe's best practices, that the page breaks.
func (p *tab) axe() {
	p.t.Helper()
	for _, violation := range p.axeViolations() {
		p.t.Errorf("%s: axe: %s", p.address(), violation)
	}
}

// axeViolations executes axe-core in a JavaScript world of its own: it sees the elements, and the page's content policy does not
// apply to it.
func (p *tab) axeViolations() []axeViolation {
	p.t.Helper()
	frames, err := chromedp.Call(p.ctx, page.GetFrameTree, cdp.Empty{})
	p.must(err)
	world, err := chromedp.Call(p.ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frames.FrameTree.Frame.ID, WorldName: "axe"})
	p.must(err)
	in := func(e *runtime.EvaluateParams) { e.ContextID = world.ExecutionContextID }
	_, err = chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](axeSource, in))
	p.must(err)
	result, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]axeViolation](
		`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(({id, impact, help, nodes}) =>
			({id, impact, help, nodes: nodes.map(({html, failureSummary}) => ({html, failureSummary}))})))`,
		in, chromedp.EvalAwaitPromise))
	p.must(err)
	return result
}
