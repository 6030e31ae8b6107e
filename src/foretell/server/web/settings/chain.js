/**
 * The chain's order: which stages are on, and where each stands. Pure functions.
 *
 * A stage bears the name of the setting that turns it on. `processors` is an order of the reader's
 * own; without it the dialect's holds.
 *
 * @typedef {import("./guide.js").Guide} Guide
 * @typedef {Record<string, any>} Settings
 */

/**
 * @param {Guide} guide
 * @param {Settings} settings
 */
export function dialectOf(guide, settings) {
  return guide.dialects.find((one) => one.name === settings.dialect) ?? guide.dialects[0];
}

/**
 * The settings that a preset and a dialect may fill in, and those stated, which win. What the engine
 * leaves out of these it says itself.
 *
 * @param {Guide} guide
 * @param {Settings} settings
 * @returns {Settings}
 */
export function filledIn(guide, settings) {
  const preset = guide.presets.find((one) => one.name === settings.preset);
  return { ...dialectOf(guide, settings).defaults, ...preset?.settings, ...settings };
}

/** Kinds of stages that greedy decoding passes over. */
const SAMPLING = ["sampler", "truncation", "adaptive"];

/**
 * The names of the stages that some settings turn on: those at a value that does nothing are off.
 *
 * @param {Guide} guide
 * @param {Settings} config settings in force
 */
export function stagesOn(guide, config) {
  const stages = guide.settings.filter((topic) => topic.is_stage && topic.refused === null);
  const isGreedy = config.temperature === 0; // then nothing that samples acts
  const acts = (/** @type {import("./guide.js").Topic} */ topic) => isOn(topic, config[topic.name]) && !(isGreedy && SAMPLING.includes(topic.kind));
  return stages.filter(acts).map(({ name }) => name);
}

/**
 * @param {import("./guide.js").Topic} topic
 * @param {any} value
 */
function isOn({ neutral }, value) {
  return value !== undefined && value !== null && value !== false && value !== neutral;
}

/**
 * Stages in the order in which they act: the reader's own, in which those that it lacks come after
 * the one that precedes them in the dialect.
 *
 * @param {readonly string[]} order the dialect's
 * @param {readonly string[] | undefined} own the reader's, if there is one
 * @param {readonly string[]} on
 * @returns {string[]}
 */
export function orderOf(order, own, on) {
  const wanted = order.filter((name) => on.includes(name));
  if (!own) return wanted;
  const found = own.filter((name) => on.includes(name));
  wanted.forEach((name, place) => {
    if (found.includes(name)) return;
    const before = wanted.slice(0, place).reverse().find((one) => found.includes(one));
    found.splice(before === undefined ? 0 : found.indexOf(before) + 1, 0, name);
  });
  return found;
}

/**
 * A list with one entry elsewhere.
 *
 * @template T
 * @param {readonly T[]} list
 * @param {number} from
 * @param {number} to
 * @returns {T[]}
 */
export function moved(list, from, to) {
  const others = [...list.slice(0, from), ...list.slice(from + 1)];
  return [...others.slice(0, to), list[from], ...others.slice(to)];
}

/**
 * The same settings with a place for every stage in the reader's own order, if there is one: the
 * server refuses an order that lacks a stage.
 *
 * @param {Guide} guide
 * @param {Settings} settings
 * @returns {Settings}
 */
export function withPlaces(guide, settings) {
  if (!settings.processors) return settings;
  const config = filledIn(guide, settings);
  const kept = settings.processors.filter((/** @type {string} */ name) => name in config); // off for now, perhaps
  const on = [...new Set([...stagesOn(guide, config), ...kept])];
  return { ...settings, processors: orderOf(dialectOf(guide, settings).order, settings.processors, on) };
}
