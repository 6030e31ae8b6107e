/** Settings as text. Pure functions. */

/** @typedef {Record<string, any>} Settings */

/**
 * The settings that a text has as JSON, or what is wrong with it.
 *
 * @param {string} text
 * @returns {{ found: Settings | null, message: string }}
 */
export function readSettings(text) {
  if (text.trim() === "") return { found: {}, message: "" };
  try {
    const found = JSON.parse(text);
    if (typeof found !== "object" || found === null || Array.isArray(found)) throw new Error(text);
    return { found, message: "" };
  } catch (error) {
    return { found: null, message: /** @type {Error} */ (error).message };
  }
}

/**
 * Settings with one of them changed; undefined takes it back.
 *
 * @param {Settings} settings
 * @param {string} name
 * @param {any} value
 * @returns {Settings}
 */
export function withSetting(settings, name, value) {
  const { [name]: _, ...others } = settings;
  return value === undefined ? others : { ...settings, [name]: value };
}

/**
 * Settings in a line, as "temperature 0.8 · top_p 0.9".
 *
 * @param {Settings} settings
 */
export function settingsLine(settings) {
  return Object.entries(settings)
    .map(([name, value]) => (value === true ? name : `${name} ${shown(value)}`))
    .join(" · ");
}

/** Characters of a value in a line. */
const SHORT = 40;

/** @param {any} value */
function shown(value) {
  const text = (typeof value === "object" ? JSON.stringify(value) : String(value)).replace(/\s+/g, " ");
  return text.length > SHORT ? `${text.slice(0, SHORT - 1)}…` : text;
}
