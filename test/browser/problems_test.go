//go:build e2e

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// problems are what a page and its workers did that no page of the console may do.
type problems struct {
	host string

	inspected map[target.ID]bool // shared workers; by the test's goroutine alone

	mu      sync.Mutex
	all     []string
	allowed []string
	ctx     context.Context // of the tab; nil before install
}

// newProblems returns those of a tab that shows a console: requests to its host alone are allowed.
func newProblems(console string) (*problems, error) {
	address, err := url.Parse(console)
	if err != nil {
		return nil, err
	}
	return &problems{host: address.Host, inspected: map[target.ID]bool{}}, nil
}

// expect names a problem that the test causes deliberately, by a part of its text.
func (p *problems) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, part)
}

// found returns the problems that were not expected.
func (p *problems) found() []string {
	p.mu.Lock()
	ctx := p.ctx
	p.mu.Unlock()
	if ctx != nil { // events come in order: those before this answer have been noted
		_, _ = chromedp.Run(ctx, chromedp.Evaluate[int](`1`))
		p.inspectWorkers(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.all), func(problem string) bool {
		return slices.ContainsFunc(p.allowed, func(part string) bool { return strings.Contains(problem, part) })
	})
}

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, fmt.Sprintf(format, args...))
}

// observerWorld is the JavaScript world of the script that reports violations. The page cannot see it.
const observerWorld, violationBinding = "observer", "reportViolation"

// reportViolations reports violations of the content policy, of the page and of what it embeds.
const reportViolations = `document.addEventListener("securitypolicyviolation", e => ` + violationBinding + `(JSON.stringify(
	{directive: e.effectiveDirective, blocked: e.blockedURI, sample: e.sample, at: e.sourceFile + ":" + e.lineNumber})))`

// install makes each document of a tab report what the protocol does not.
func (p *problems) install(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	p.mu.Unlock()
	return chromedp.Do(ctx,
		call(runtime.AddBinding.Method, runtime.AddBindingParams{Name: violationBinding, ExecutionContextName: observerWorld}),
		call(page.AddScriptToEvaluateOnNewDocument.Method, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: reportViolations, WorldName: observerWorld,
		}),
	)
}

// note adds an event of the browser if it is a problem. It must not block, because it delays the events that follow.
func (p *problems) note(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.add("console: %s", argumentsOf(e))
		}
	case *runtime.EventExceptionThrown:
		p.add("uncaught: %s", describeException(e.ExceptionDetails))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.add("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventBindingCalled:
		if e.Name == violationBinding {
			p.add("securitypolicyviolation: %s", e.Payload)
		}
	case *network.EventRequestWillBeSent:
		p.noteRequest(e.Request.URL)
	case *network.EventWebSocketCreated:
		p.noteRequest(e.URL)
	}
}

// noteRequest adds a request to another host.
func (p *problems) noteRequest(to string) {
	address, err := url.Parse(to)
	if err != nil || address.Host != p.host && address.Scheme != "data" && address.Scheme != "blob" && address.Scheme != "about" {
		p.add("request to another host: %s", to)
	}
}

// inspectWorkers adds what the shared workers of a tab have reported: no event of the tab tells. A worker is attached to late, when a
// test looks for problems, because chromium may stop one that is attached to while it starts.
func (p *problems) inspectWorkers(tab context.Context) {
	targets, err := chromedp.CallBrowser(tab, target.GetTargets, target.GetTargetsParams{})
	if err != nil {
		return // the tab is closed
	}
	for _, info := range targets.TargetInfos {
		if info.Type != "shared_worker" || info.BrowserContextID != chromedp.FromContext(tab).BrowserContextID || p.inspected[info.TargetID] {
			continue
		}
		p.inspected[info.TargetID] = true
		worker, cancel := context.WithTimeout(tab, workerTimeout)
		worker, _ = chromedp.NewContext(worker, chromedp.WithTargetID(info.TargetID), chromedp.WithDetachOnCancel(), chromedp.WithListener(p.note))
		if err := chromedp.Do(worker); err != nil && tab.Err() == nil {
			p.add("the shared worker %s cannot be inspected: %v", info.URL, err)
		}
		cancel()
	}
}

// workerTimeout limits how long a worker is inspected: its earlier messages come first.
const workerTimeout = 5 * time.Second

// argumentsOf returns what a call of the console API printed.
func argumentsOf(e *runtime.EventConsoleAPICalled) string {
	var words []string
	for _, argument := range e.Args {
		var text string
		if json.Unmarshal(argument.Value, &text) != nil {
			text = argument.Description
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

func describeException(details *runtime.ExceptionDetails) string {
	text := details.Text
	if details.Exception != nil {
		text += " " + details.Exception.Description
	}
	return fmt.Sprintf("%s at %s:%d", text, details.URL, details.LineNumber+1)
}
