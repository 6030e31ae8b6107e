/** What a lesson has "Compare" set side by side. */

const LETTERS = "ABCDEF";

/**
 * The columns of a lesson, its seeds as the reader would write them, and the length of its texts.
 *
 * @param {import("./lessons.js").Lesson} lesson
 */
export function comparisonOf({ settings, strategies = [] }) {
  const { seed = 1, max_new_tokens: length, ...alike } = settings;
  const columns = strategies.map((one, index) => ({ letter: LETTERS[index], settings: { ...alike, ...one } }));
  return { columns, seeds: `${seed},`, length };
}
