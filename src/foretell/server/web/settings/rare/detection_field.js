/** When a loop ends the output: as it is usual, or by sizes and a count of the reader's own. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { Parts } from "./parts.js";
import { Switch } from "./switch.js";

/** The server's own. */
const USUAL = { max_pattern_size: 20, min_pattern_size: 1, min_count: 4 };

/** @param {import("../fields/controls.js").ControlProps} props */
export function DetectionField({ value, change, id, labelled, described, isWrong }) {
  const options = /** @type {[string, any][]} */ ([[t("yes"), { ...USUAL }], [t("no"), false]]);
  const chosen = value === undefined ? -1 : value === false ? 1 : 0;
  const sizes = /** @type {Record<string, number>} */ ({ ...USUAL, ...(typeof value === "object" ? value : {}) });
  const names = /** @type {("max_pattern_size" | "min_pattern_size" | "min_count")[]} */ (Object.keys(USUAL));
  return html`
    <${Switch} id=${id} labelled=${labelled} described=${described} options=${options} chosen=${chosen} change=${change} />
    ${chosen === 0 &&
    html`
      <${Parts}
        parts=${names.map((key) => ({ key, name: t(key), value: sizes[key] }))}
        labelled=${labelled}
        described=${described}
        isWrong=${isWrong}
        change=${(/** @type {string} */ key, /** @type {number} */ number) => change({ ...sizes, [key]: number })}
      />
    `}
  `;
}
