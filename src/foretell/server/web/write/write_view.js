/**
 * The view "Write": a prompt, the text that the model makes of it, and every choice in it.
 *
 * Three columns: the tree of branches; the prompt and its text; the token in focus and the settings.
 * Narrow pages have two, or one. A part that fails leaves the others as they are.
 */

import { useEffect, useState } from "preact/hooks";
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

/** Whether there is one column alone: the tree is then its end, for the Tab key too. */
const narrow = matchMedia("(max-width: 47.99rem)");

export function WriteView() {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(followKeys, []);
  useEffect(() => {
    const follow = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", follow);
    return () => narrow.removeEventListener("change", follow);
  }, []);
  const branches = html`
    <div key="tree" class="write-tree">
      <${Boundary}><${Branches} /><//>
      <${Boundary}><${Kept} /><//>
    </div>
  `;
  return html`
    <div class="write">
      ${!isNarrow && branches}
      <div key="page" class="write-page">
        <${Boundary}><${PromptBox} /><${Actions} /><//>
        <${Boundary}>${isEditing.value ? html`<${EditBox} />` : html`<${Text} /><${Strip} />`}<//>
        <${Boundary}>${tree.value.branches.length > 1 && html`<${Beside} />`}<//>
        <${Boundary}><${Share} /><//>
      </div>
      <div key="choice" class="write-choice">
        <${Boundary}><${TokenPanel} setBias=${setBias} /><//>
        <${Boundary}><${Settings} /><//>
      </div>
      ${isNarrow && branches}
    </div>
  `;
}
