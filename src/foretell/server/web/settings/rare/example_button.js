/** Puts an example into a field that is empty. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { EXAMPLES } from "./examples.js";

/** @param {{ name: string, isEmpty: boolean, put: (example: any) => void }} props */
export function ExampleButton({ name, isEmpty, put }) {
  if (!isEmpty || !(name in EXAMPLES)) return null;
  return html`
    <button type="button" class="quiet field-example" aria-label=${t("example_for", { name })} onClick=${() => put(EXAMPLES[name])}>
      ${t("example")}
    </button>
  `;
}
