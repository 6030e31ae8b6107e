/** From which token on the end gains weight, and by which factor. */

import { html } from "../../app/html.js";
import { t } from "../texts.js";
import { Parts } from "./parts.js";
import { Switch } from "./switch.js";

/** What it begins as: after a hundred tokens the end gains a hundredth for each. */
const FIRST = [100, 1.01];

/** @param {import("../fields/controls.js").ControlProps} props */
export function DecayField({ value, change, id, labelled, described, isWrong }) {
  const put = (/** @type {string} */ key, /** @type {number} */ number) =>
    change(key === "start" ? [number, value[1]] : [value[0], number]);
  return html`
    <${Switch} id=${id} labelled=${labelled} described=${described} options=${[[t("yes"), FIRST]]} chosen=${value ? 0 : -1} change=${change} />
    ${value &&
    html`
      <${Parts}
        parts=${[
          { key: "start", name: t("start"), value: value[0] },
          { key: "factor", name: t("factor"), value: value[1] },
        ]}
        labelled=${labelled}
        described=${described}
        isWrong=${isWrong}
        change=${put}
      />
    `}
  `;
}
