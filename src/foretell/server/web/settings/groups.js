/** All settings but the few that matter first: by group, folded, and found by words. */

import { useState } from "preact/hooks";
import { html } from "../app/html.js";
import { settings } from "../state/store.js";
import { problem } from "./outlook.js";
import { groupsOf, isFound } from "./plan.js";
import { groupName, saidOf } from "./said.js";
import { t } from "./texts.js";

/**
 * @param {{ guide: import("./guide.js").Guide, field: (topic: import("./guide.js").Topic) => any }} props
 */
export function Groups({ guide, field }) {
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const isWanted = (/** @type {import("./guide.js").Topic} */ topic) => isFound(topic, wanted, [groupName(topic.group), ...saidOf(topic)]);
  const found = groupsOf(guide)
    .map(({ name, topics }) => ({ name, topics: wanted ? topics.filter(isWanted) : topics }))
    .filter(({ topics }) => topics.length > 0);
  return html`
    <div class="settings-search">
      <input
        type="search"
        autocomplete="off"
        aria-label=${t("search")}
        placeholder=${t("search")}
        value=${query}
        onInput=${(/** @type {any} */ event) => setQuery(event.target.value)}
      />
    </div>
    <div class="settings-groups">
      ${found.map((group) => html`<${Group} key=${group.name} ...${group} isOpen=${wanted !== ""} field=${field} />`)}
      ${found.length === 0 && html`<p class="settings-none" role="status">${t("nothing_found")}</p>`}
    </div>
  `;
}

/**
 * A group; it opens by itself where one of its settings is found, or refused.
 *
 * @param {import("./plan.js").Group & { isOpen: boolean, field: (topic: import("./guide.js").Topic) => any }} props
 */
function Group({ name, topics, isOpen, field }) {
  const [wasOpened, setOpened] = useState(false);
  const numSet = topics.filter((topic) => topic.name in settings.value).length;
  const isRefused = topics.some((topic) => topic.name === problem.value?.param);
  const isShown = isOpen || wasOpened || isRefused;
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    setOpened(!isShown);
  };
  return html`
    <details class="settings-group" open=${isShown}>
      <summary onClick=${toggle}>
        <span class="settings-group-name">${groupName(name)}</span>
        <span class="settings-group-count">${numSet > 0 ? t("num_set", { count: numSet }) : topics.length}</span>
      </summary>
      ${isShown && html`<div class="settings-group-fields">${topics.map(field)}</div>`}
    </details>
  `;
}
