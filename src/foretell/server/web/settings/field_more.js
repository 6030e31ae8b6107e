/** What a setting means; opened, all else that the guide says of it. */

import { html } from "../app/html.js";
import { legalBounds } from "./numbers.js";
import { clausesOf, formName } from "./said.js";
import { t } from "./texts.js";

/** @typedef {import("./guide.js").Topic} Topic */

/** @param {{ topic: Topic, said: string, id: string }} props */
export function FieldMore({ topic, said, id }) {
  return html`
    <details class="field-more">
      <summary>
        <span id=${id}>${said}</span>
        <span class="unseen">(${t("more", { name: topic.name })})</span>
      </summary>
      <dl>
        ${factsOf(topic).map(
          ([name, value, isCode]) => html`
            <div key=${name}>
              <dt>${t(name)}</dt>
              <dd class=${isCode ? "settings-code" : ""}>${[value].flat().map((one) => html`<p key=${one}>${one}</p>`)}</dd>
            </div>
          `,
        )}
      </dl>
    </details>
  `;
}

/**
 * @param {Topic} topic
 * @returns {[any, any, boolean][]} a name of a text, a value, and whether it is a formula
 */
function factsOf(topic) {
  const isNumber = topic.notation === "integer" || topic.notation === "number";
  const legal = isNumber ? [formName(topic.form), legalBounds(topic)].filter(Boolean).join(" ") : formName(topic.form);
  const given = topic.if_not_set ?? topic.default;
  /** @type {[string, any, boolean][]} */
  const facts = [
    ["legal", legal, false],
    ["useful", topic.useful && topic.useful.join(" – "), false],
    ["neutral", topic.neutral, false],
    ["default", given === null || typeof given === "object" ? null : String(given), false],
    ["formula", topic.formula, true],
    ["not_with", topic.contradictions.map(clausesOf), false],
    ["dialects", dialectsOf(topic), false],
    ["source", topic.source, false],
  ];
  return facts.filter(([, value]) => value !== null && value.length !== 0);
}

/** @param {Topic} topic */
function dialectsOf({ dialects }) {
  return Object.entries(dialects).map(([name, note]) => `${name}: ${clausesOf(note)}`);
}
