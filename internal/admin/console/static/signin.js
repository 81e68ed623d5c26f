// The form that turns a token into a session. The token is sent once, in a header, and kept nowhere in the page.

import { html, nothing } from "./vendor/lit/lit-html.js";
import { send } from "./api.js";

const overPlainHTTP = location.protocol === "http:" && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);

/** signIn shows the form. started gets the session. */
export const signIn = (shell, started) =>
  html`<main class="signin">
    <form class="card" @submit=${(event) => submit(event, shell, started)}>
      <h1>Sign in to mkio-bridge</h1>
      ${shell.reason ? html`<p class="notice" role="status">${shell.reason}</p>` : html`<p class="muted">Paste the token of this bridge once. The session lasts twelve hours.</p>`}
      ${overPlainHTTP ? html`<p class="notice critical"><strong>This page was loaded without TLS.</strong> Whoever can watch the network can read the token. Use a proxy with TLS, or a port forward to this machine.</p>` : nothing}
      <div class="field">
        <label for="token">Token: <code>BRIDGE_ADMIN_TOKEN</code>, or <code>BRIDGE_VIEWER_TOKEN</code> for reading only</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus spellcheck="false" />
      </div>
      <div id="refused" role="alert" class="bad"></div>
      <button class="primary">Sign in</button>
    </form>
  </main>`;

async function submit(event, shell, started) {
  event.preventDefault();
  const form = event.currentTarget;
  const refused = form.querySelector("#refused");
  refused.textContent = "";
  const token = form.token.value.trim();
  if (/[^\x21-\x7e]/.test(token)) {
    refused.textContent = "A token has no spaces or special characters: copy it again.";
    return;
  }
  try {
    const { data } = await send("POST", "session", {}, { headers: { Authorization: `Bearer ${token}` } });
    form.reset();
    shell.reason = undefined;
    started(data);
  } catch (error) {
    refused.textContent = error.status === 401 ? "This is not a token of this bridge." : error.message;
    form.token.select();
  }
}
