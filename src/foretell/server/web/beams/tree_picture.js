/** The tree of a search, as a picture whose candidates are reached by keys as well. */

import { useRef, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { Drawing } from "./drawing.js";
import { useRoom, useSight } from "./following.js";
import { MARGIN } from "./layout.js";
import { layout, wantsFallen, withFallen } from "./state.js";
import { t } from "./texts.js";
import { walk } from "./walking.js";

const ZOOMS = [0.4, 0.5, 0.65, 0.8, 1, 1.25, 1.6];

/** As small as a tree is made on its own; what does not fit then is scrolled. */
const LEAST_FIT = 0.8;

export function TreePicture() {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const room = useRoom(frame);
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const zoom = chosen ?? fitting(room, LEAST_FIT);
  const part = useSight(frame, zoom, room);
  const move = (/** @type {number} */ direction) => setChosen(nextZoom(zoom, direction));
  const fit = () => setChosen(fitting(room, ZOOMS[0]));
  return html`
    <div class="tree-tools">
      <label class="search-check">
        <input type="checkbox" checked=${withFallen.value} onChange=${(/** @type {any} */ event) => (wantsFallen.value = event.target.checked)} />
        <span>${t("fallen")}</span>
      </label>
      <span class="tree-zoom">
        <button type="button" aria-label=${t("zoom_out")} title=${t("zoom_out")} onClick=${() => move(-1)}>−</button>
        <button type="button" aria-label=${t("zoom_in")} title=${t("zoom_in")} onClick=${() => move(1)}>+</button>
        <button type="button" onClick=${fit}>${t("zoom_fit")}</button>
      </span>
      <span class="tree-help">${t("tree_help")}</span>
    </div>
    <div class="tree-frame sheet" ref=${frame} dir="ltr" onKeyDown=${(/** @type {KeyboardEvent} */ event) => pressed(event, move, fit)}>
      ${part && html`<${Drawing} frame=${frame} zoom=${zoom} part=${part} />`}
    </div>
  `;
}

/**
 * @param {number} zoom
 * @param {number} direction
 */
function nextZoom(zoom, direction) {
  const found = direction > 0 ? ZOOMS.find((one) => one > zoom) : ZOOMS.findLast((one) => one < zoom);
  return found ?? zoom;
}

/**
 * @param {number} room pixels
 * @param {number} least
 */
function fitting(room, least) {
  return Math.max(least, Math.min(1, room / (layout.value.width + 2 * MARGIN)));
}

/**
 * @param {KeyboardEvent} event
 * @param {(direction: number) => void} move
 * @param {() => void} fit
 */
function pressed(event, move, fit) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { key } = event;
  if (key === "+" || key === "=") move(1);
  else if (key === "-" || key === "−") move(-1);
  else if (key === "0") fit();
  else if (!walk(key)) return;
  event.preventDefault();
  event.stopPropagation();
}
