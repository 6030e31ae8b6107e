/**
 * The settings that are compared: up to six columns, a letter each. Pure functions on plain data.
 *
 * @typedef {Record<string, any>} Settings
 *
 * @typedef {Object} Column
 * @property {string} letter by which the server and the reader know it
 * @property {Settings} settings
 */

import { settingsLine } from "../views/settings_text.js";

/** A column's letter; its colour is `--series-` and the letter's place. */
export const LETTERS = ["A", "B", "C", "D", "E", "F"];

export const MOST = LETTERS.length;

/** What one sees first: no draw, a careful one, a wild one. @type {readonly Column[]} */
export const FIRST_COLUMNS = [
  { letter: "A", settings: { do_sample: false } },
  { letter: "B", settings: { temperature: 0.8, top_p: 0.9 } },
  { letter: "C", settings: { temperature: 1.5 } },
];

/** Settings that have a field of their own in a column. */
export const FIELDS = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty", "num_beams"];

/**
 * The columns with one more, which has the first letter that is free.
 *
 * @param {readonly Column[]} columns
 * @param {Settings} settings
 * @returns {readonly Column[]}
 */
export function withColumn(columns, settings) {
  const letter = LETTERS.find((one) => columns.every((column) => column.letter !== one));
  if (letter === undefined) return columns;
  const added = [...columns, { letter, settings }];
  return added.sort((one, other) => LETTERS.indexOf(one.letter) - LETTERS.indexOf(other.letter));
}

/**
 * The columns without one; the last one stays.
 *
 * @param {readonly Column[]} columns
 * @param {string} letter
 * @returns {readonly Column[]}
 */
export function withoutColumn(columns, letter) {
  return columns.length === 1 ? columns : columns.filter((one) => one.letter !== letter);
}

/**
 * @param {readonly Column[]} columns
 * @param {string} letter
 * @param {Settings} settings
 * @returns {readonly Column[]}
 */
export function withSettings(columns, letter, settings) {
  return columns.map((one) => (one.letter === letter ? { letter, settings } : one));
}

/**
 * The strategies of a request, by their letters.
 *
 * @param {readonly Column[]} columns
 * @returns {Record<string, Settings>}
 */
export function strategiesOf(columns) {
  return Object.fromEntries(columns.map(({ letter, settings }) => [letter, settings]));
}

/** @param {string} letter which of the series' colours it has, from 1 */
export function seriesOf(letter) {
  return LETTERS.indexOf(letter) + 1;
}

/**
 * What a column's settings are in a line; "" where decoding is greedy.
 *
 * @param {Settings} settings
 */
export function lineOf({ do_sample, ...settings }) {
  const line = settingsLine(settings);
  return do_sample === true ? ["do_sample", line].filter(Boolean).join(" · ") : line;
}

/**
 * The column that an error of the server is about, and the error without the column's name.
 *
 * @param {string} message
 * @returns {{ letter: string | null, message: string }}
 */
export function blame(message) {
  const found = /^strateg(?:y |ies\[)'([A-F])'\]?: (.*)$/s.exec(message);
  return found === null ? { letter: null, message } : { letter: found[1], message: found[2] };
}

/**
 * Seeds as the reader writes them: how many, or which ones; a comma after a number makes it one of
 * these. null: that is neither.
 *
 * @param {string} text as "3", "4, 7" or "4,"
 * @returns {number | number[] | null}
 */
export function readSeeds(text) {
  if (!/^\s*\d+\s*(,\s*\d+\s*)*,?\s*$/.test(text)) return null;
  const numbers = text.split(",").map((one) => one.trim()).filter(Boolean).map(Number);
  return text.includes(",") ? numbers : numbers[0];
}
