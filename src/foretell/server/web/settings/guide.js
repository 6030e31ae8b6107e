/**
 * The guide: what there is to say of every setting, as the server tells it. The shapes are those of
 * `/v1/foretell/guide`; see docs/server.md.
 *
 * @typedef {Object} Topic one setting
 * @property {string} name
 * @property {string} group
 * @property {string} meaning
 * @property {string} form which values it takes, in words
 * @property {number | null} low the legal bounds of a number; null: none
 * @property {number | null} high
 * @property {boolean} open_low
 * @property {[number, number] | null} useful
 * @property {number | null} neutral where it does nothing
 * @property {number | null} if_not_set what holds where a setting that needs it is on
 * @property {string} low_effect
 * @property {string} high_effect
 * @property {string} formula
 * @property {string} source
 * @property {string[]} contradictions
 * @property {Record<string, string>} dialects
 * @property {string} kind
 * @property {boolean} is_stage
 * @property {string} notation how a value is written
 * @property {string[]} choices
 * @property {number} usual its place among the usual settings; 0: it is none
 * @property {string[]} needs
 * @property {string[]} aliases
 * @property {any} default
 * @property {any} schema
 * @property {string | null} refused why it cannot be sent
 * @property {string[]} not_for views that do not take it
 *
 * @typedef {Object} Preset
 * @property {string} name
 * @property {string} task
 * @property {string} why
 * @property {Record<string, any>} settings
 * @property {[number, number] | null} temperatures
 *
 * @typedef {Object} Dialect
 * @property {string} name
 * @property {string} version
 * @property {string[]} order
 * @property {Record<string, any>} defaults
 *
 * @typedef {Object} Guide
 * @property {{ name: string, settings: string[] }[]} groups
 * @property {Topic[]} settings
 * @property {Preset[]} presets
 * @property {Dialect[]} dialects
 * @property {Record<string, any>} in_force where a request says nothing
 */

import { signal } from "@preact/signals";
import { json } from "../api/http.js";

/** @type {import("@preact/signals").Signal<Guide | null>} */
export const guide = signal(null);

/** @type {Promise<void> | null} */
let asking = null;

/** Fetch the guide, once; a failure can be tried again. */
export function fetchGuide() {
  asking ??= json("v1/foretell/guide")
    .then((found) => {
      guide.value = found;
    })
    .catch((error) => {
      asking = null;
      throw error;
    });
  return asking;
}
