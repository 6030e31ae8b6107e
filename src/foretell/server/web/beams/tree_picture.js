/** The tree of a search, as a picture whose candidates are reached by keys as well. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { ROOT, lineTo, neighbour, pathTo, placeOfHypothesis } from "./layout.js";
import { TreeNode } from "./tree_node.js";
import { focus, hovered, layout, numSteps, wantsFallen, withFallen } from "./state.js";
import { t } from "./texts.js";

const ZOOMS = [0.4, 0.5, 0.65, 0.8, 1, 1.25, 1.6];
const MARGIN = 6;
const PADDING = 18;

/** As small as a tree is made on its own; what does not fit then is scrolled. */
const LEAST_FIT = 0.8;

/** @typedef {import("./layout.js").Place} Place */

export function TreePicture() {
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const room = useRoom(frame);
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const zoom = chosen ?? fitting(room, LEAST_FIT);
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
      <${Drawing} zoom=${zoom} />
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
 * How wide the tree may be without being scrolled.
 *
 * @param {{ current: HTMLElement | null }} frame
 */
function useRoom(frame) {
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (frame.current);
    const watch = new ResizeObserver(() => setRoom(element.clientWidth - PADDING));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return room;
}

/** Shows the newest steps as they come, unless the reader walks in the tree. */
function followGrowth() {
  const frame = document.querySelector(".tree-frame");
  if (frame !== null && !frame.contains(document.activeElement)) frame.scrollLeft = frame.scrollWidth;
}

/** @param {{ zoom: number }} props */
function Drawing({ zoom }) {
  const { places, width, height } = layout.value;
  useEffect(followGrowth, [numSteps.value]);
  const byId = new Map(places.map((one) => [one.id, one]));
  const best = new Set(bestPath(places).map(({ id }) => id));
  const looked = new Set(pathTo(places, hovered.value ?? focus.value ?? "").map(({ id }) => id));
  const tabbed = focus.value !== null && byId.has(focus.value) ? focus.value : ROOT;
  const [full, tall] = [width + 2 * MARGIN, height + 2 * MARGIN];
  return html`
    <svg
      class="tree"
      role="tree"
      aria-label=${t("tree")}
      width=${full * zoom}
      height=${tall * zoom}
      viewBox=${`${-MARGIN} ${-MARGIN} ${full} ${tall}`}
      onPointerLeave=${() => (hovered.value = null)}
    >
      <g aria-hidden="true">
        ${places.map((one) => {
          const from = one.parent === null ? undefined : byId.get(one.parent);
          if (from === undefined) return null;
          return html`<path key=${one.id} class="tree-line" data-fate=${one.candidate?.fate} data-best=${best.has(one.id)} data-looked=${looked.has(one.id)} d=${lineTo(from, one)} />`;
        })}
      </g>
      ${places.map(
        (one) => html`
          <${TreeNode}
            key=${one.id}
            place=${one}
            isBest=${best.has(one.id)}
            isLooked=${looked.has(one.id)}
            isTabbed=${one.id === tabbed}
          />
        `,
      )}
    </svg>
  `;
}

/** @param {readonly Place[]} places the way to the best finished text */
function bestPath(places) {
  const end = placeOfHypothesis(places, 0);
  return end === undefined ? [] : pathTo(places, end.id);
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
  else if (!walk(key, /** @type {HTMLElement} */ (event.currentTarget))) return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * @param {string} key
 * @param {HTMLElement} frame
 */
function walk(key, frame) {
  if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key)) return false;
  const next = neighbour(layout.value.places, focus.value ?? ROOT, key);
  if (next === null) return true;
  focus.value = next;
  const found = /** @type {SVGElement | null} */ (frame.querySelector(`[data-place="${next}"]`));
  found?.focus();
  found?.scrollIntoView({ block: "nearest", inline: "nearest" });
  return true;
}
