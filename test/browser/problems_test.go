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

	mu      sync.Mutex
	all     []string
	allowed []string
	ctx     context.Context   // of the tab; nil before install
	watched []context.Context // of the workers
	workers sync.WaitGroup
}

// newProblems returns those of a tab that shows a console: requests to its host alone are allowed.
func newProblems(console string) (*problems, error) {
	address, err := url.Parse(console)
	if err != nil {
		return nil, err
	}
	return &problems{host: address.Host}, nil
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
	case *target.EventTargetCreated:
		p.noteWorker(e.TargetInfo)
	}
}

// noteRequest adds a request to another host.
func (p *problems) noteRequest(to string) {
	address, err := url.Parse(to)
	if err != nil || address.Host != p.host && address.Scheme != "data" && address.Scheme != "blob" && address.Scheme != "about" {
		p.add("request to another host: %s", to)
	}
}

// noteWorker watches a shared worker of the tab, which has no other way to report. What it did before is reported too.
func (p *problems) noteWorker(info *target.Info) {
	p.mu.Lock()
	tab := p.ctx
	p.mu.Unlock()
	if tab == nil || info.Type != "shared_worker" || info.BrowserContextID != chromedp.FromContext(tab).BrowserContextID {
		return
	}
	p.workers.Go(func() {
		worker, _ := chromedp.NewContext(tab, chromedp.WithTargetID(info.TargetID), chromedp.WithDetachOnCancel(), chromedp.WithListener(p.note)) //nolint:govet // ends with the tab
		if err := chromedp.Do(worker); err != nil && tab.Err() == nil {
			p.add("the shared worker %s cannot be watched: %v", info.URL, err)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.watched = append(p.watched, worker)
	})
}

// leaveWorkers ends the watch of workers before their page is left: chromium keeps a worker that is watched, and the next page would get it
// in a state in which its requests are not answered.
func (p *problems) leaveWorkers() {
	p.workers.Wait()
	p.mu.Lock()
	watched := p.watched
	p.watched = nil
	p.mu.Unlock()
	for _, worker := range watched {
		_ = chromedp.Cancel(worker) // a worker that has ended cannot be left
	}
}

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
