// The shell: what is around a screen. It asks for the data of the screen that the address names, again and again, and shows with
// each answer when and by whom it was given. When an answer does not come, the last one stays, dimmed, with a word since when.

import { html, nothing, render } from "./vendor/lit/lit-html.js";
import { changed, go, href, onNavigate, query } from "./address.js";
import { get, onUnauthorized, send, server } from "./api.js";
import { clock, when, zone } from "./format.js";
import { command, problem } from "./parts.js";
import { screens } from "./screens.js";
import { signIn } from "./signin.js";

const app = document.getElementById("app");
const statusInterval = 5000;

const shell = {
  session: undefined, // {role, expires}; undefined: not known yet; null: nobody is signed in
  refusal: undefined, // why it is not known yet
  status: undefined, // the last answer of /v1/status
  statusProblem: undefined, // why there is no newer one, with since
  firstVersion: "", // of the server, when the page was loaded
  view: undefined, // the open screen
  searching: undefined, // the view whose search gets the focus as soon as it is there
};

/** A View is one visit of a screen: its data, and what it keeps while it is open. */
class View {
  constructor(name, screen) {
    Object.assign(this, {
      name,
      screen,
      subject: screen.subject?.(query()),
      answer: undefined,
      failure: undefined,
      loading: false,
      local: {},
      controller: new AbortController(),
    });
    this.context = {
      local: this.local, // the screen's own, as long as it is open
      signal: this.controller.signal, // ends when the screen is left
      update, // draws again
      reload: () => this.load(),
      get session() {
        return shell.session;
      },
      get status() {
        return shell.status?.data;
      },
    };
  }

  /** shows reports whether the address is one of this visit: another resource on the same screen is another visit. */
  shows(screen, q) {
    return this.screen === screen && this.subject === screen.subject?.(q);
  }

  async load() {
    clearTimeout(this.timer);
    this.request?.abort();
    const request = (this.request = new AbortController());
    const q = query();
    this.loading = true;
    try {
      const signal = AbortSignal.any([request.signal, this.controller.signal]);
      const answer = await this.screen.load(q, { ...this.context, signal });
      if (request.signal.aborted || this.controller.signal.aborted) return;
      Object.assign(this, { answer, failure: undefined, loaded: q.toString() });
    } catch (error) {
      if (request.signal.aborted || this.controller.signal.aborted) return;
      if (!(error.status >= 0)) console.error(error);
      this.failure = { error, since: this.failure?.since ?? new Date() };
    }
    this.loading = false;
    update();
    this.next();
  }

  next() {
    const failed = this.failure ? Math.max(this.failure.error.retryAfter * 1000 || 0, 3000) : 0;
    const wait = failed || this.screen.refresh;
    if (wait) this.timer = setTimeout(() => (document.hidden ? this.next() : this.load()), wait);
  }

  /** current returns the answer if it is one to the present address. */
  current() {
    return this.loaded === query().toString() ? this.answer : undefined;
  }

  close() {
    clearTimeout(this.timer);
    this.controller.abort();
  }
}

/** navigate opens the screen of the address, or gives the open one its new parameters. */
function navigate({ replace = false } = {}) {
  const name = query().get("v") ?? "now";
  const screen = Object.hasOwn(screens, name) ? screens[name] : screens.now;
  if (shell.view?.shows(screen, query())) {
    shell.view.load();
  } else {
    shell.view?.close();
    const previous = shell.view;
    shell.view = new View(name, screen);
    screen.open?.(shell.view.context);
    shell.view.load();
    update();
    if (previous && !replace) {
      document.querySelector("h1")?.focus();
      scrollTo(0, 0);
    }
  }
  update();
}

let drawing = false;
/** update draws the page before the next frame. */
function update() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  if (shell.session === undefined) {
    render(shell.refusal ? noData(shell.refusal) : nothing, app);
    return;
  }
  if (shell.session === null) {
    document.title = "Sign in · mkio-bridge";
    render(signIn(shell, started), app);
    return;
  }
  const { view } = shell;
  const title = view.screen.title(query(), view.answer?.data);
  document.title = `${title} · mkio-bridge`;
  render(
    html`<a class="skip" href="#main">skip to the content</a>
      <div class="shell">
        <header class="side">
          <a class="brand" href=${href({})}><img src="icon.svg" alt="" width="20" height="20" />mkio-bridge</a>
          <nav aria-label="Screens">
            <ul class="nav">
              ${Object.entries(screens)
                .filter(([, s]) => s.inMenu)
                .map(
                  ([name, s]) =>
                    html`<li>
                      <a
                        href=${href({ v: name === "now" ? "" : name })}
                        aria-current=${view.screen === s || view.screen.under === name ? "page" : nothing}
                        >${s.menu} ${badge(s)}</a
                      >
                    </li>`,
                )}
            </ul>
          </nav>
          ${who()}
        </header>
        <main id="main" tabindex="-1">${versionNotice()}${cutOffNotice(view)}${blindNotice(view)}${content(view, title)}</main>
      </div>`,
    app,
  );
  if (shell.searching === view) focusSearch();
}

function focusSearch() {
  const search = document.querySelector("[data-search]");
  if (!search) return;
  search.focus();
  shell.searching = undefined;
}

function badge(screen) {
  const b = shell.status && screen.badge?.(shell.status.data);
  return b ? html`<span class="count ${b.level ?? ""} ${shell.statusProblem ? "stale" : ""}">${b.text}</span>` : nothing;
}

function who() {
  const { session } = shell;
  return html`<div class="who">
    <span>${session.role === "admin" ? "You may do everything" : "You may read"}</span>
    <a href=${changed({ tz: query().get("tz") === "local" ? "" : "local" })}>Times: ${zone()}</a>
    ${session.expires ? html`<button type="button" class="plain small" @click=${signOut}>Sign out</button>` : nothing}
    ${shell.stillSignedIn ? html`<span class="bad" role="alert">You are still signed in: ${shell.stillSignedIn.message}.</span>` : nothing}
    ${server.version ? html`<span>${server.version}</span>` : nothing}
  </div>`;
}

function versionNotice() {
  if (!server.version || !shell.firstVersion || server.version === shell.firstVersion) return nothing;
  return html`<div class="notice info row" role="status">
    <span>The bridge is of version ${server.version} now; this page is from ${shell.firstVersion}.</span
    ><button type="button" @click=${() => location.reload()}>Reload</button>
  </div>`;
}

/** cutOff returns the bridge that answers if it has lost NATS, for a screen that it answers from its cache, which stands still then. */
function cutOff({ screen }) {
  const local = shell.status?.data.local;
  return screen.cached && local && !local.natsConnected ? local : undefined;
}

function cutOffNotice(view) {
  const local = cutOff(view);
  if (!local) return nothing;
  return html`<div class="notice critical" role="alert">
    <strong>${local.instance} is not connected to NATS.</strong> What it shows is from its cache and may be old.
  </div>`;
}

/** blindNotice says since when there is no answer. The data below it is dimmed: it must not look like the present. */
function blindNotice(view) {
  const lost = view.failure;
  if (!lost || !view.current()) return nothing;
  return html`<div class="notice critical" role="alert">
    <strong>No answer since ${clock(view.answer.asOf)}.</strong> ${lost.error.message}. Below is the last answer; the page asks again by itself.
  </div>`;
}

/** freshness is the class of what is shown: old when no newer answer comes, pending while it is the answer to the address before. */
const freshness = (view) => (view.failure || cutOff(view) ? "stale" : view.current() ? "" : "pending");

/** content draws the screen. An answer that it cannot draw, as of a bridge of another version, is said: the page must not stand still. */
function content(view, title) {
  try {
    return drawn(view, title);
  } catch (error) {
    console.error(error);
    return html`<h1 tabindex="-1"><bdi>${title}</bdi></h1>
      ${problem(error, "The page cannot show this answer: reload it.")}`;
  }
}

function drawn(view, title) {
  const { screen, failure } = view;
  const q = query();
  const answer = failure ? view.current() : view.answer;
  const { at, instance } = (answer && screen.asOf?.(view.context)) ?? { at: answer?.asOf, instance: answer?.instance };
  const head = html`<div class="head">
      <h1 tabindex="-1"><bdi>${title}</bdi></h1>
      ${screen.aside?.(q, answer?.data) ?? nothing}
      <span class="asof"
        >${at ? html`as of <time datetime=${at.toISOString()}>${when(at)}</time> ${zone()}${instance ? html`, from ${instance}` : nothing}` : nothing}</span
      >
    </div>
    ${answer && screen.answer ? html`<p class="answer ${freshness(view)}">${screen.answer(q, answer.data, view.context)}</p>` : nothing}`;
  const shown = answer
    ? html`<div class="stack ${freshness(view)}">${screen.render(q, answer.data, view.context)}</div>`
    : failure
      ? refused(view, title)
      : html`<p class="muted" aria-busy="true">Asking the bridge…</p>`;
  const text = screen.command?.(q, answer?.data);
  return html`${head}${shown}${text ? command(text) : nothing}`;
}

/** refused says why a screen has no data, and offers a way out of parameters that the bridge does not take. */
function refused({ name, failure }, title) {
  return html`${problem(failure.error, `${title} cannot be shown.`)}${failure.error.status === 400 ? html`<p><a class="button" href=${href({ v: name === "now" ? "" : name })}>Show it without parameters</a></p>` : nothing}`;
}

async function signOut() {
  try {
    await send("DELETE", "session");
  } catch (error) {
    if (error.status !== 401) shell.stillSignedIn = error; // the cookie is there: the next one at this browser would be signed in
    update();
    return;
  }
  shell.stillSignedIn = undefined;
  Object.assign(shell, { session: null, reason: undefined });
  shell.view?.close();
  shell.view = undefined;
  update();
}

/** watchStatus keeps the verdicts for the menu. */
async function watchStatus() {
  clearTimeout(shell.statusTimer);
  if (shell.session && !document.hidden) {
    try {
      shell.status = await get("status");
      shell.statusProblem = undefined;
      shell.firstVersion ||= server.version;
    } catch (error) {
      shell.statusProblem ??= { error, since: new Date() };
    }
    update();
  }
  shell.statusTimer = setTimeout(watchStatus, statusInterval);
}

/** started is called when a session is known. */
function started(session) {
  shell.session = session;
  watchStatus();
  shell.firstVersion ||= server.version;
  navigate({ replace: true });
}

/** start asks for the session until the bridge has answered. */
async function start() {
  clearTimeout(shell.startTimer);
  try {
    started((await get("session")).data);
    shell.refusal = undefined;
  } catch (error) {
    if (error.status !== 401 && shell.session === undefined) {
      shell.refusal = error;
      shell.startTimer = setTimeout(start, statusInterval);
    }
  }
  update();
}

/** noData says why there is nothing to show, before anything was shown. */
function noData({ status, message }) {
  const todo =
    status === 404
      ? "This bridge serves no /v1 here: set BRIDGE_ADMIN_TOKEN, or open the console on the machine of the bridge."
      : `${message}. The page asks again every few seconds.`;
  return html`<main class="signin">
    <div class="card">
      <h1>mkio-bridge</h1>
      ${problem({ message: todo }, "The console has no data.")}<button type="button" @click=${start}>Try again</button>
    </div>
  </main>`;
}

onNavigate((how) => {
  if (shell.session) navigate(how);
});
onUnauthorized((detail) => {
  if (shell.session) shell.reason = detail;
  shell.session = null;
  shell.view?.close();
  shell.view = undefined;
  update();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (shell.session) {
    if (shell.view?.screen.refresh) shell.view.load();
    watchStatus();
  } else start(); // another tab may have signed in
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
  const search = document.querySelector("[data-search]");
  event.preventDefault();
  if (search) search.focus();
  else if (shell.session) {
    go(href({ v: "resources" }));
    shell.searching = shell.view;
  }
});
setInterval(update, 1000); // ages

start();
