// <sized-box> draws what depends on its width, and again when that changes: text in a drawing keeps its size on every screen.

import { html, render } from "./vendor/lit/lit-html.js";

const printing = matchMedia("print"); // then the drawing is scaled: a new one would come after the pages are laid out

class SizedBox extends HTMLElement {
  #draw;
  #observer = new ResizeObserver(() => this.#render());

  connectedCallback() {
    this.#observer.observe(this);
    this.#render();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
  }

  /** draw is a function from a width in pixels to a template. */
  set draw(draw) {
    this.#draw = draw;
    this.#render();
  }

  #render() {
    if (this.isConnected && this.#draw && this.clientWidth && !printing.matches) render(this.#draw(this.clientWidth), this);
  }
}

customElements.define("sized-box", SizedBox);

/** sized returns an element with what draw makes for its width. */
export const sized = (draw) => html`<sized-box .draw=${draw}></sized-box>`;
