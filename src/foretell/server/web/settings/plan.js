/**
 * Which settings the form has, in which order, and which a search finds: pure functions.
 *
 * @typedef {import("./guide.js").Guide} Guide
 * @typedef {import("./guide.js").Topic} Topic
 * @typedef {{ name: string, topics: Topic[] }} Group
 */

/** Settings that stand first, whatever their group: the few that matter. */
export const FIRST = ["temperature", "top_k", "top_p", "min_p", "max_new_tokens", "seed", "repetition_penalty"];

/** Settings that have a place of their own in the form. */
const ELSEWHERE = ["preset", "dialect", "processors", "logit_bias"];

/**
 * Whether a setting has to do with a text that is written here: functions cannot be sent, reports are
 * asked for by the page itself, and searches have a view of their own.
 *
 * @param {Topic} topic
 */
export function isForWriting(topic) {
  return topic.refused === null && topic.kind !== "report" && !topic.not_for.includes("explain");
}

/**
 * The settings that can be sent, and yet mean nothing where one text is written.
 *
 * @param {Guide} guide
 */
export function namesElsewhere(guide) {
  const found = guide.settings.filter((topic) => topic.refused === null && topic.not_for.includes("explain"));
  return found.map((topic) => topic.name);
}

/**
 * @param {Guide} guide
 * @param {string} name
 * @returns {Topic}
 */
export function topicOf(guide, name) {
  const found = guide.settings.find((topic) => topic.name === name);
  if (!found) throw new Error(`there is no setting ${name}`);
  return found;
}

/** @param {Guide} guide */
export function firstTopics(guide) {
  return FIRST.map((name) => topicOf(guide, name));
}

/**
 * All others, by group, in the guide's order; no group is empty.
 *
 * @param {Guide} guide
 * @returns {Group[]}
 */
export function groupsOf(guide) {
  const apart = new Set([...FIRST, ...ELSEWHERE]);
  const groups = guide.groups.map((group) => ({
    name: group.name,
    topics: group.settings
      .filter((name) => !apart.has(name))
      .map((name) => topicOf(guide, name))
      .filter(isForWriting),
  }));
  return groups.filter((group) => group.topics.length > 0);
}

/**
 * Whether a setting is found by some words: each must stand in its name, another name of it, or what
 * is said of it.
 *
 * @param {Topic} topic
 * @param {string} query
 * @param {readonly string[]} [said] what is said of it in the reader's language
 */
export function isFound(topic, query, said = []) {
  const texts = [topic.name, ...topic.aliases, topic.group, topic.meaning, topic.low_effect, topic.high_effect, ...said];
  const all = plain(texts.join(" "));
  return plain(query).split(" ").every((word) => all.includes(word));
}

/** @param {string} text as search compares it: `top-p`, `Top P` and `top_p` are alike */
function plain(text) {
  return text.toLowerCase().replace(/[\s_-]+/g, " ").trim();
}

/**
 * The server's warnings by the setting that they begin with; those that begin with none by "".
 *
 * @param {readonly string[]} warnings
 * @param {(name: string) => boolean} isField
 * @returns {Record<string, string[]>}
 */
export function warningsByName(warnings, isField) {
  /** @type {Record<string, string[]>} */
  const found = {};
  for (const warning of warnings) {
    const name = /^(\w+)=/.exec(warning)?.[1] ?? "";
    (found[isField(name) ? name : ""] ??= []).push(warning);
  }
  return found;
}
