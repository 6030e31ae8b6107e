/**
 * Ten lessons that follow the chapter's sections: what each has the page show. Their words are in
 * texts.js. A test asks the default model for each, and checks what the words say of it.
 *
 * @typedef {Object} Lesson
 * @property {string} id begins the names of its texts
 * @property {number} section of the chapter
 * @property {"write" | "compare" | "beams"} view where it is seen
 * @property {string} prompt
 * @property {Record<string, any>} settings by the names of the server
 * @property {Record<string, any>[]} [strategies] what "Compare" sets side by side, beside the settings
 * @property {number} [focus] the token whose panel is opened
 */

const CAT = "The cat sat on the";
const PRESIDENT = "The first President of the United States was George";

/** @type {readonly Lesson[]} */
export const LESSONS = [
  { id: "next", section: 1, view: "write", prompt: CAT, settings: { temperature: 0, max_new_tokens: 1 }, focus: 0 },
  { id: "loop", section: 2, view: "write", prompt: CAT, settings: { temperature: 0, max_new_tokens: 50 }, focus: 12 },
  {
    id: "temperature",
    section: 3,
    view: "compare",
    prompt: CAT,
    settings: { seed: 0, max_new_tokens: 12 },
    strategies: [{ temperature: 0.1 }, { temperature: 1 }, { temperature: 2 }],
  },
  {
    id: "top_k",
    section: 3,
    view: "write",
    prompt: PRESIDENT,
    settings: { temperature: 1, top_k: 10, seed: 17, max_new_tokens: 24 },
    focus: 0,
  },
  {
    id: "top_p",
    section: 3,
    view: "write",
    prompt: PRESIDENT,
    settings: { temperature: 1, top_p: 0.9, seed: 17, max_new_tokens: 24 },
    focus: 0,
  },
  {
    id: "draw",
    section: 3,
    view: "write",
    prompt: CAT,
    settings: { temperature: 0.8, top_k: 50, top_p: 0.9, seed: 7, max_new_tokens: 1 },
    focus: 0,
  },
  { id: "beams", section: 4, view: "beams", prompt: CAT, settings: { num_beams: 2, max_new_tokens: 3 } },
  {
    id: "penalties",
    section: 5,
    view: "compare",
    prompt: CAT,
    settings: { temperature: 0, max_new_tokens: 40 },
    strategies: [{}, { repetition_penalty: 1.2 }, { frequency_penalty: 0.5 }, { presence_penalty: 0.5 }],
  },
  {
    id: "stop",
    section: 6,
    view: "write",
    prompt: "# My diary\n\nMonday: I was at home.",
    settings: { temperature: 0, stop: ["###", "\n\n"], max_new_tokens: 60 },
  },
  {
    id: "stream",
    section: 7,
    view: "write",
    prompt: "Emoji of animals: 🐱 🐶 🐭 🐹",
    settings: { temperature: 0, max_new_tokens: 15 },
    focus: 3,
  },
];
