/** The region "Text": what the model wrote, token by token. */

import { useEffect } from "preact/hooks";
import { html } from "../../app/html.js";
import { writing } from "../../state/generation.js";
import { tokens } from "../../state/store.js";
import { followWriting } from "./announcements.js";
import { Beginning } from "./beginning.js";
import { Flow } from "./flow.js";
import { PromptTokens } from "./prompt_tokens.js";
import { TextTools } from "./text_tools.js";
import { TokenTable } from "./token_table.js";
import { isTable, page, shownTokens } from "./text_state.js";
import { t } from "./texts.js";

export function Text() {
  useEffect(followWriting, []);
  const isEmpty = page.value.tokens.length === 0 && writing.value === null;
  const isBusy = writing.value !== null || shownTokens.value !== tokens.value; // what has come is drawn a frame later
  return html`
    <div class="text-part">
      ${!isEmpty && html`<${TextTools} />`}
      <section class="text sheet" aria-label=${t("text")} aria-busy=${isBusy}>
        ${isEmpty && html`<${Beginning} />`}
        <${PromptTokens} />
        ${isTable.value ? html`<${TokenTable} />` : html`<${Flow} />`}
      </section>
    </div>
  `;
}
