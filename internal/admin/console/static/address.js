// The address is the state: each screen, filter, period and selection is in the query string, so that back, reload and a pasted
// link show the same. All links are relative ("?v=…"), because a proxy may serve the console below a base path.

/** query returns the parameters of the current address. */
export const query = () => new URLSearchParams(location.search);

/** href returns a link with the given parameters. Empty ones are left out; arrays repeat their name. tz and other lasting
 * choices of the current address are kept. */
export function href(parameters) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "" && one !== false) q.append(name, String(one));
    }
  }
  const tz = query().get("tz");
  if (tz && !q.has("tz") && parameters.tz !== "") q.set("tz", tz);
  return "?" + q.toString().replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%2C", ",");
}

/** changed returns a link to the current screen with some parameters replaced; an empty value removes one. */
export function changed(parameters) {
  const all = {};
  for (const [name, value] of query()) all[name] = name in all ? [all[name], value].flat() : value;
  return href({ ...all, ...parameters });
}

const listeners = new Set();

/** onNavigate calls a function after each change of the address. */
export const onNavigate = (listener) => listeners.add(listener);

/** go moves to a link. With replace, back does not return to the present address: for filters while someone types. */
export function go(link, { replace = false } = {}) {
  if (new URL(link, location.href).href === location.href) return;
  history[replace ? "replaceState" : "pushState"](null, "", link);
  for (const listener of listeners) listener({ replace });
}

addEventListener("popstate", () => {
  for (const listener of listeners) listener({ replace: false });
});

// A click on a link of this page changes the address without loading the page again; with a modifier key it is the browser's.
addEventListener("click", (event) => {
  const link = event.composedPath().find((e) => e instanceof HTMLAnchorElement);
  const given = link?.getAttribute("href");
  if (
    !given?.startsWith("?") ||
    link.target ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  event.preventDefault();
  go(given);
});
