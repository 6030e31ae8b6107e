/** Keeps an error of one part of the page from taking the rest with it. */

import { Component } from "preact";
import { html } from "./html.js";
import { t } from "./texts.js";

export class Boundary extends Component {
  state = { error: /** @type {Error | null} */ (null) };

  /** @param {Error} error */
  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return html`
      <div class="notice notice-error" role="alert">
        <p>${t("failed", { message: error.message })}</p>
        <button type="button" onClick=${() => this.setState({ error: null })}>${t("retry")}</button>
      </div>
    `;
  }
}
