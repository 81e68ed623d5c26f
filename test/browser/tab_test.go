//go:build e2e

package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mkio-bridge/internal/bridgetest"
)

// A look is how a tab shows a page. The zero value is a wide window with the light theme.
type look struct {
	width, height int64 // CSS pixels; 0: 1280 × 900
	dark          bool
	scale         float64 // device pixels per CSS pixel; 0: 1
}

// The widths that each screen must fit.
const (
	wide   = 1280
	narrow = 390
)

// A tab is a tab of the browser, with cookies and storage of its own. It closes with its test.
type tab struct {
	*problems
	t    *testing.T
	ctx  context.Context // of chromedp
	base string          // URL of the console, with a slash at its end
}

// open opens an address of a console in a new tab; the address is relative to the console's: "", "?v=resources". The test fails
// at its end if the page caused problems.
func open(t *testing.T, console, address string, l look) *tab {
	t.Helper()
	p := newTab(t, console, l)
	t.Cleanup(func() {
		for _, problem := range p.found() {
			t.Errorf("the browser reports: %s", problem)
		}
	})
	p.goTo(address)
	return p
}

// newTab opens an empty tab, with cookies and storage of its own.
func newTab(t *testing.T, console string, l look) *tab {
	t.Helper()
	return newTabWith(t, console, l, chromedp.WithNewBrowserContext())
}

// another opens an address of the console in a second tab, which shares cookies, storage and workers with the first.
func (p *tab) another(address string) *tab {
	p.t.Helper()
	next := newTabWith(p.t, p.base, look{}, chromedp.WithExistingBrowserContext(chromedp.FromContext(p.ctx).BrowserContextID))
	next.goTo(address)
	return next
}

// newTabWith opens an empty tab in the browser context that an option chooses.
func newTabWith(t *testing.T, console string, l look, browserContext chromedp.ContextOption) *tab {
	t.Helper()
	needChromium(t)
	browser, err := shared.chromium()
	if err != nil {
		t.Fatal(err)
	}
	watched, err := newProblems(console)
	if err != nil {
		t.Fatal(err)
	}
	ctx, closeTab := chromedp.NewContext(browser, browserContext, chromedp.WithListener(watched.note))
	t.Cleanup(closeTab)
	p := &tab{problems: watched, t: t, ctx: ctx, base: console}
	p.must(p.setLook(l))
	p.must(watched.install(ctx))
	return p
}

// setLook sets the size of the tab and what the media queries of the page see.
func (p *tab) setLook(l look) error {
	if l.width == 0 {
		l.width = wide
	}
	if l.height == 0 {
		l.height = 900
	}
	if l.scale == 0 {
		l.scale = 1
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	return chromedp.Do(p.ctx,
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(l.scale)),
		call(emulation.SetEmulatedMedia.Method, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		call(emulation.SetTimezoneOverride.Method, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}),
	)
}

// call is a command of the DevTools protocol without a result.
func call(method string, params any) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error { return target.Call(ctx, method, params, nil) })
}

// goTo types an address, relative to the console's, and waits until the page has loaded.
func (p *tab) goTo(address string) {
	p.t.Helper()
	whole, err := url.Parse(p.base)
	if err == nil {
		whole, err = whole.Parse(address)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.Navigate(whole.String()))
}

// The buttons of the browser.
func (p *tab) back()    { p.t.Helper(); p.do(chromedp.NavigateBack()) }
func (p *tab) forward() { p.t.Helper(); p.do(chromedp.NavigateForward()) }
func (p *tab) reload()  { p.t.Helper(); p.do(chromedp.Reload()) }

// address returns the address relative to the console's, as a person would copy it.
func (p *tab) address() string {
	p.t.Helper()
	return strings.TrimPrefix(eval[string](p, `location.href`), p.base)
}

// text returns what can be read on the page: no hidden text, and with the letter case that the style sheet gives.
func (p *tab) text() string {
	p.t.Helper()
	return eval[string](p, `document.body.innerText`)
}

// await waits until a text can be read on the page.
func (p *tab) await(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the text %q", text), fmt.Sprintf(`document.body.innerText.includes(%s)`, quoted(text)))
}

// awaitLoaded waits until a screen shows a current answer of the bridge: none that is dimmed.
func (p *tab) awaitLoaded() {
	p.t.Helper()
	p.until("an answer", `document.querySelector("main .asof time") !== null && document.querySelector("[aria-busy=true], .stale") === null`)
}

// awaitGone waits until a text can no longer be read on the page.
func (p *tab) awaitGone(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("no text %q", text), fmt.Sprintf(`!document.body.innerText.includes(%s)`, quoted(text)))
}

// awaitElement waits until an element exists that matches a CSS selector.
func (p *tab) awaitElement(selector string) {
	p.t.Helper()
	p.until("an element "+selector, fmt.Sprintf(`document.querySelector(%s) !== null`, quoted(selector)))
}

// awaitAddress waits until the address, relative to the console's, contains a text.
func (p *tab) awaitAddress(part string) {
	p.t.Helper()
	p.until(fmt.Sprintf("an address with %q", part), fmt.Sprintf(`location.href.includes(%s)`, quoted(part)))
}

// awaitLimit bounds how long a failing test waits: a busy machine may need most of it.
const awaitLimit = 30 * time.Second

// until waits until a JavaScript expression is true. chromedp.Poll does the same by code from a string, which the console's content
// policy forbids.
func (p *tab) until(what, condition string) {
	p.t.Helper()
	err := bridgetest.Until(p.ctx, awaitLimit, func(ctx context.Context) error {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition))
		if err == nil && !holds {
			err = errors.New("is not there")
		}
		return err // an error while the page is replaced: the next attempt meets the new one
	})
	if err != nil {
		p.t.Fatalf("%s, %s: %v; the page shows:\n%s\n%s", p.address(), what, err, p.text(), strings.Join(p.found(), "\n"))
	}
}

// eval returns the value of a JavaScript expression; a promise is awaited.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, awaitLimit)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// execute executes JavaScript whose value does not matter.
func (p *tab) execute(script string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](script))
	p.must(err)
}

// quoted returns a text as a JavaScript literal.
func quoted(text string) string { return fmt.Sprintf("%q", text) }

// click clicks on the first element that matches a CSS selector, once it is visible.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.awaitElement(selector)
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// keys are names of keys for [tab.press].
var keys = map[string]string{
	"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Backspace": kb.Backspace, "Home": kb.Home, "End": kb.End,
	"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight,
	"PageUp": kb.PageUp, "PageDown": kb.PageDown,
}

// press presses keys one after another: names such as Tab, Enter and ArrowDown, or characters; Shift+Tab too.
func (p *tab) press(names ...string) {
	p.t.Helper()
	for _, name := range names {
		rest, shift := strings.CutPrefix(name, "Shift+")
		key, ok := keys[rest]
		if !ok {
			key = rest
		}
		for _, r := range key {
			for _, stroke := range strokes(r) {
				if shift {
					stroke.Modifiers |= int64(chromedp.ModifierShift)
				}
				p.do(call(input.DispatchKeyEvent.Method, stroke))
			}
		}
	}
}

// strokes returns the events of a key that is pressed and released. chromedp sends the character as an event of its own, which a page
// cannot prevent; a keyboard does not.
func strokes(r rune) []*input.DispatchKeyEventParams {
	var pressed *input.DispatchKeyEventParams
	return slices.DeleteFunc(kb.Encode(r), func(e *input.DispatchKeyEventParams) bool {
		if e.Type == kb.KeyChar {
			pressed.Text, pressed.UnmodifiedText = e.Text, e.UnmodifiedText
			return true
		}
		if e.Type == kb.KeyDown {
			pressed = e
		}
		return false
	})
}

// focused describes the element that has the focus, as assistive technology does: role and name.
func (p *tab) focused() string {
	p.t.Helper()
	var innermost string // the page has the focus too
	for _, node := range p.accessible() {
		if node.focused {
			innermost = node.String()
		}
	}
	return innermost
}

// A node is what assistive technology knows of an element.
type node struct {
	role, name, value string
	focused           bool
}

func (n node) String() string { return strings.TrimSpace(n.role + " " + n.name) }

// accessible returns what assistive technology reads, in order.
func (p *tab) accessible() (nodes []node) {
	p.t.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		read := node{role: valueOf(n.Role), name: valueOf(n.Name), value: valueOf(n.Value)}
		for _, property := range n.Properties {
			read.focused = read.focused || property.Name == accessibility.PropertyNameFocused && valueOf(property.Value) == "true"
		}
		nodes = append(nodes, read)
	}
	return nodes
}

// accessibleText returns what assistive technology reads, an element a line: its role and its name.
func (p *tab) accessibleText() string {
	p.t.Helper()
	var b strings.Builder
	for _, n := range p.accessible() {
		if n.role != "InlineTextBox" && n.role != "none" {
			fmt.Fprintln(&b, n)
		}
	}
	return b.String()
}

// valueOf returns a value of the accessibility tree as text.
func valueOf(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

// do executes steps, and fails the test if one fails.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, awaitLimit)
	defer cancel()
	p.must(chromedp.Do(ctx, steps...))
}

func (p *tab) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}
