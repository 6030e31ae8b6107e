/** Whether a text is marked, so that it can be known again: as it is usual, or as a link has it. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { Switch } from "./switch.js";

/** @param {import("../fields/controls.js").ControlProps} props */
export function WatermarkField({ value, change, id, labelled, described }) {
  const own = typeof value === "object" && value !== null;
  const options = /** @type {[string, any][]} */ ([[t("yes"), own ? value : true]]);
  const chosen = value === undefined ? -1 : 0;
  return html`
    <${Switch} id=${id} labelled=${labelled} described=${described} options=${options} chosen=${chosen} change=${change} />
  `;
}
