/** Changes of the reader's settings. */

import { settings } from "../state/store.js";
import { withPlaces } from "./chain.js";
import { guide } from "./guide.js";
import { withSetting } from "./values.js";

/**
 * Set a setting, or take it back.
 *
 * @param {string} name
 * @param {any} value undefined, null and empty lists: it is not set
 */
export function setSetting(name, value) {
  const changed = withSetting(settings.value, name, value);
  settings.value = guide.value === null ? changed : withPlaces(guide.value, changed);
}

/** Take all settings back. */
export function resetAll() {
  settings.value = {};
}
