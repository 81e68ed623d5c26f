//go:build e2e

package browser

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// serve serves pages as the admin listener does: with a content policy.
func serve(t *testing.T, pages map[string]string) (console string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; require-trusted-types-for 'script'; trusted-types mkio-worker")
		mediaType := "text/html; charset=utf-8"
		if strings.HasSuffix(r.URL.Path, ".js") {
			mediaType = "text/javascript"
		}
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write([]byte(content))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/console/"
}

const goodPage = `<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="page.js"><script src="page.js" defer></script>
<main><h1>A page</h1><button id="count">Count</button><p id="counted"></p></main></html>`

// A page that does what no page of the console may do is reported, each fault by itself.
func TestProblemsAreReported(t *testing.T) {
	console := serve(t, map[string]string{
		"/console/": goodPage,
		"/console/page.js": `
			console.error("a console error", 7);
			Promise.reject(new Error("a rejection"));
			try { document.body.innerHTML = "<b>unsafe</b>" } catch {}
			fetch("http://other.example/").catch(() => {});
			fetch("missing");
			new SharedWorker(trustedTypes.createPolicy("mkio-worker", {createScriptURL: address => address}).createScriptURL("worker.js"));
			throw new Error("an exception");`,
		"/console/worker.js": `onconnect = () => { throw new Error("an exception of a worker") }`,
	})
	p := newTab(t, console, look{})
	p.goTo("")
	for _, want := range []string{
		"console: a console error 7", "uncaught: Uncaught (in promise) Error: a rejection", `securitypolicyviolation: {"directive":"require-trusted-types-for"`,
		`securitypolicyviolation: {"directive":"connect-src"`, "status of 404", "uncaught: Uncaught Error: an exception\n", "an exception of a worker",
	} {
		if !awaitProblem(p, want) {
			t.Errorf("not reported: %s", want)
		}
	}
	t.Log(strings.Join(p.found(), "\n"))
	for _, problem := range p.found() {
		p.expect(problem)
	}
	if left := p.found(); len(left) > 0 {
		t.Errorf("expected, and reported all the same: %q", left)
	}
}

// awaitProblem waits until a problem is reported that contains a text.
func awaitProblem(p *tab, text string) bool {
	for range 100 {
		if slices.ContainsFunc(p.found(), func(problem string) bool { return strings.Contains(problem, text) }) {
			return true
		}
	}
	return false
}

// A request that the content policy lets pass to another host is reported.
func TestRequestsToOtherHostsAreReported(t *testing.T) {
	p := newTab(t, serve(t, map[string]string{"/console/": goodPage, "/console/page.js": ""}), look{})
	p.goTo("")
	p.noteRequest("https://other.example/font.woff2")
	if found := p.found(); !slices.Equal(found, []string{"request to another host: https://other.example/font.woff2"}) {
		t.Errorf("reported: %q", found)
	}
}

// axe reports a rule, the element and advice, and nothing about a good page. The page's content policy stays in force.
func TestAxe(t *testing.T) {
	const broken = `<main><h1>A page</h1><img src="data:,"><p style="color: #aaa; background: #fff">pale</p><input></main>`
	console := serve(t, map[string]string{
		"/console/": goodPage, "/console/page.js": "", "/console/broken": strings.Replace(goodPage, "</main>", "</main>"+broken, 1),
	})
	p := open(t, console, "", look{})
	p.axe()
	p.expect("violates the following Content Security Policy") // data: images and style attributes
	p.expect("securitypolicyviolation")
	p.goTo("broken")
	var rules []string
	for _, violation := range p.axeViolations() {
		rules = append(rules, violation.ID)
		t.Log(violation)
	}
	for _, want := range []string{"image-alt", "label", "landmark-no-duplicate-main"} {
		if !slices.Contains(rules, want) {
			t.Errorf("axe does not report %s, but %s", want, rules)
		}
	}
}

// A person's keys, clicks and buttons reach the page; what it shows is read, also as assistive technology reads it.
func TestHandsAndEyes(t *testing.T) {
	console := serve(t, map[string]string{
		"/console/": goodPage,
		"/console/page.js": `
			let n = 0;
			document.querySelector("#count").onclick = () => {
				document.querySelector("#counted").textContent = "counted " + ++n;
				history.pushState(n, "", "?n=" + n);
			};
			onpopstate = e => { document.querySelector("#counted").textContent = "back at " + (e.state ?? 0) };`,
	})
	p := open(t, console, "", look{width: narrow, dark: true})
	if width, dark := eval[int](p, `innerWidth`), eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches`); width != narrow || !dark {
		t.Errorf("width %d, dark %t", width, dark)
	}
	p.press("Tab")
	if focused := p.focused(); focused != "button Count" {
		t.Errorf("the focus is on %q", focused)
	}
	p.press("Enter")
	p.await("counted 1")
	p.click("#count")
	p.await("counted 2")
	if address := p.address(); address != "?n=2" {
		t.Errorf("the address is %q", address)
	}
	p.back()
	p.await("back at 1")
	p.forward()
	p.awaitAddress("n=2")
	p.reload()
	p.awaitGone("counted")
	if read := p.accessibleText(); !strings.Contains(read, "heading A page\n") || !strings.Contains(read, "button Count\n") {
		t.Errorf("assistive technology reads:\n%s", read)
	}
}

// The console's page loads in a real bridge without a problem.
func TestConsoleLoads(t *testing.T) {
	_, console := startBridge(t)
	p := open(t, console, "", look{})
	p.until("the title", `document.title.includes("mkio-bridge")`)
}

// A tab with a session may read what needs the token, and a bridge with a simulated MK.IO has its resources.
func TestFixtures(t *testing.T) {
	fake, _, console := startWithMKIO(t, mkiofake.Config{}, withTokens...)
	key, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-0417")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(key, "Queued")
	fake.Move(key, "Processing")
	p := newTab(t, console, look{})
	p.goTo("")
	p.signIn(viewerToken)
	bridgetest.Eventually(t, "the job's event", func() bool {
		return strings.Contains(eval[string](p, `fetch("../v1/resources").then(r => r.text())`), "ep-0417")
	})
	if events := eval[string](p, `fetch("../v1/events?follow=false").then(r => r.text())`); !strings.Contains(events, `"via":"webhook"`) {
		t.Errorf("the job was not delivered by webhook: %s", events)
	}
}
