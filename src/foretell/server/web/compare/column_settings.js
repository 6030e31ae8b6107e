/** The settings of a column: the usual ones as fields, all of them as JSON. */

import { html } from "../app/html.js";
import { JsonField } from "../views/json_field.js";
import { NumberField } from "../views/number_field.js";
import { withSetting } from "../views/settings_text.js";
import { FIELDS, withSettings } from "./columns.js";
import { columns } from "./state.js";
import { t } from "./texts.js";

/** @param {{ column: import("./columns.js").Column }} props */
export function ColumnSettings({ column }) {
  const { letter, settings } = column;
  const change = (/** @type {Record<string, any>} */ wanted) => (columns.value = withSettings(columns.value, letter, wanted));
  return html`
    <details class="column-edit">
      <summary>${t("edit")}</summary>
      <div class="column-fields">
        ${FIELDS.map(
          (name) => html`
            <${NumberField}
              key=${name}
              name=${name}
              value=${settings[name]}
              change=${(/** @type {number | undefined} */ value) => change(withField(settings, name, value))}
            />
          `,
        )}
      </div>
      <${JsonField} settings=${settings} change=${change} />
    </details>
  `;
}

/**
 * A field of a sampler takes back that nothing is drawn.
 *
 * @param {Record<string, any>} settings
 * @param {string} name
 * @param {number | undefined} value
 */
function withField(settings, name, value) {
  const draws = ["temperature", "top_k", "top_p", "min_p"].includes(name);
  const changed = withSetting(settings, name, value);
  return draws && value !== undefined && changed.do_sample === false ? withSetting(changed, "do_sample", undefined) : changed;
}
