/** The buttons that write: Generate, Stop, Continue, Step, New seed, Edit; and how the text ended. */

import { html } from "../../app/html.js";
import { DEFAULT_LENGTH, foreignness, lastSeed, stop, writing } from "../../state/generation.js";
import { isAsking } from "../../state/stepping.js";
import { isPromptChanged, settings, tokens, tree } from "../../state/store.js";
import { isBare } from "../../state/tree.js";
import { beginEdit, isEditing } from "../edit/edit_state.js";
import { Ending } from "./ending.js";
import { NextToken } from "./next_token.js";
import { generateAnewReporting, generateReporting, goOnReporting, stepReporting } from "./reporting.js";
import { t } from "./texts.js";

export function Actions() {
  const isWriting = writing.value !== null;
  const isBusy = isWriting || isEditing.value;
  const isEmpty = tokens.value.length === 0;
  const isForeign = foreignness.value !== null;
  const isElsewhere = isBusy || isEmpty || isForeign || isPromptChanged.value;
  return html`
    <div class="actions-part">
      <div class="actions">
        <button type="button" class="main" title=${t("generate_title")} disabled=${isBusy} onClick=${generateReporting}>${t("generate")}</button>
        <button type="button" disabled=${!isWriting} onClick=${stop}>${t("stop")}</button>
        <button type="button" title=${t("step_title")} disabled=${isBusy || isForeign || (isPromptChanged.value && !isEmpty)} aria-disabled=${isAsking.value} onClick=${() => isAsking.value || stepReporting()}>
          ${t("step")}
        </button>
        ${!isBare(tree.value) && html`<${More} isElsewhere=${isElsewhere} isUneditable=${isBusy || isEmpty || isForeign} />`}
        <${Length} />
      </div>
      <${NextToken} />
      <${Ending} />
    </div>
  `;
}

/**
 * What can be done with a text that is there.
 *
 * @param {{ isElsewhere: boolean, isUneditable: boolean }} props
 */
function More({ isElsewhere, isUneditable }) {
  return html`
    <button type="button" disabled=${isElsewhere} onClick=${goOnReporting}>${t("continue")}</button>
    <button type="button" title=${t("anew_title")} disabled=${isElsewhere || lastSeed.value === null} onClick=${generateAnewReporting}>
      ${t("anew")}
    </button>
    <button type="button" id="edit-button" disabled=${isUneditable} onClick=${beginEdit}>${t("edit")}</button>
  `;
}

function Length() {
  /** @param {any} event */
  const change = ({ target }) => {
    const { max_new_tokens, ...others } = settings.value;
    settings.value = target.value === "" ? others : { ...others, max_new_tokens: target.valueAsNumber };
  };
  return html`
    <label class="length">
      <span>${t("most_tokens")}</span>
      <input
        type="number"
        min="1"
        max="2048"
        placeholder=${DEFAULT_LENGTH}
        value=${settings.value.max_new_tokens ?? ""}
        onChange=${change}
      />
    </label>
  `;
}
