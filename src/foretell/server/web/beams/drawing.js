/** The drawing of a tree: the candidates that are in sight, and the lines between them. */

import { useLayoutEffect } from "preact/hooks";
import { html } from "../app/html.js";
import { useFollowing } from "./following.js";
import { MARGIN, ROOT, lineTo, pathTo, placeOfHypothesis } from "./layout.js";
import { crosses, isIn } from "./sight.js";
import { useSlices } from "./slices.js";
import { focus, hovered, layout } from "./state.js";
import { t } from "./texts.js";
import { TreeNode } from "./tree_node.js";
import { focusWanted } from "./walking.js";

/** @typedef {import("./layout.js").Place} Place */

/** So few candidates are all there; of more, those that are in sight. */
const FEW = 120;

/** Candidates and lines that are drawn anew in one frame. */
const SLICE = 24;

/** @param {{ frame: { current: HTMLElement | null }, zoom: number, part: import("./sight.js").Part }} props */
export function Drawing({ frame, zoom, part }) {
  const { places, byId, width, height } = layout.value;
  const best = new Set(bestPath().map(({ id }) => id));
  const looked = new Set(pathTo(layout.value, hovered.value ?? focus.value ?? "").map(({ id }) => id));
  const tabbed = focus.value !== null && byId.has(focus.value) ? focus.value : ROOT;
  const wanted = places.length <= FEW ? places : places.filter((one) => one.id === tabbed || isIn(one, part));
  const nodes = useSlices(wanted, SLICE, new Set([tabbed]));
  const lines = useSlices(linesOf(layout.value, part), SLICE);
  useLayoutEffect(() => focusWanted(frame.current));
  useFollowing(frame, zoom);
  const [full, tall] = [width + 2 * MARGIN, height + 2 * MARGIN];
  return html`
    <svg
      class="tree"
      role="tree"
      aria-label=${t("tree")}
      aria-busy=${nodes.length < wanted.length}
      width=${full * zoom}
      height=${tall * zoom}
      viewBox=${`${-MARGIN} ${-MARGIN} ${full} ${tall}`}
      onPointerLeave=${() => (hovered.value = null)}
    >
      <g aria-hidden="true">
        ${lines.map(
          ({ id, from, to }) =>
            html`<path key=${id} class="tree-line" data-fate=${to.candidate?.fate} data-best=${best.has(id)} data-looked=${looked.has(id)} d=${lineTo(from, to)} />`,
        )}
      </g>
      ${nodes.map(
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

/**
 * @param {import("./layout.js").Layout} layout
 * @param {import("./sight.js").Part} part
 * @returns {{ id: string, from: Place, to: Place }[]} the lines that are in sight, by the ids of their ends
 */
function linesOf({ places, byId }, part) {
  return places.flatMap((to) => {
    const from = to.parent === null ? undefined : byId.get(to.parent);
    return from !== undefined && (places.length <= FEW || crosses(from, to, part)) ? [{ id: to.id, from, to }] : [];
  });
}

/** @returns {readonly Place[]} the way to the best finished text */
function bestPath() {
  const end = placeOfHypothesis(layout.value.places, 0);
  return end === undefined ? [] : pathTo(layout.value, end.id);
}
