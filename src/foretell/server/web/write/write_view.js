/**
 * The view "Write": a prompt, the text that the model makes of it, and every choice in it.
 *
 * Three columns: the tree of branches; the prompt and its text; the token in focus and the settings.
 * Narrow pages have two, or one. A part that fails leaves the others as they are.
 */

import { useEffect } from "preact/hooks";
import { Boundary } from "../app/boundary.js";
import { fetchedLater } from "../app/fetched_later.js";
import { html } from "../app/html.js";
import { setBias } from "../settings/bias.js";
import { Settings } from "../settings/settings.js";
import { Kept } from "../share/kept.js";
import { Share } from "../share/share.js";
import { tree } from "../state/store.js";
import { Branches } from "./branches/branches.js";
import { isEditing } from "./edit/edit_state.js";
import { Actions } from "./prompt/actions.js";
import { PromptBox } from "./prompt/prompt_box.js";
import { Strip } from "./text/strip.js";
import { Text } from "./text/text.js";
import { TokenPanel } from "./token/token_panel.js";
import { followKeys } from "./write_keys.js";

const Beside = fetchedLater(() => import("./beside/beside.js").then((module) => module.Beside));
const EditBox = fetchedLater(() => import("./edit/edit_box.js").then((module) => module.EditBox));

export function WriteView() {
  useEffect(followKeys, []);
  return html`
    <div class="write">
      <div class="write-tree">
        <${Boundary}><${Branches} /><//>
        <${Boundary}><${Kept} /><//>
      </div>
      <div class="write-page">
        <${Boundary}><${PromptBox} /><${Actions} /><//>
        <${Boundary}>${isEditing.value ? html`<${EditBox} />` : html`<${Text} /><${Strip} />`}<//>
        <${Boundary}>${tree.value.branches.length > 1 && html`<${Beside} />`}<//>
        <${Boundary}><${Share} /><//>
      </div>
      <div class="write-choice">
        <${Boundary}><${TokenPanel} setBias=${setBias} /><//>
        <${Boundary}><${Settings} /><//>
      </div>
    </div>
  `;
}
