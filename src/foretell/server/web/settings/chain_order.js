/** The stages that are on, in the order in which they act; dragged, or moved by buttons. */

import { useRef, useState } from "preact/hooks";
import { html } from "../app/html.js";
import { announce } from "../app/notices.js";
import { settings } from "../state/store.js";
import { dialectOf, filledIn, moved, orderOf, stagesOn } from "./chain.js";
import { setSetting } from "./change.js";
import { checked } from "./outlook.js";
import { t } from "./texts.js";
import { showValue } from "./values.js";

/** @param {{ guide: import("./guide.js").Guide, error: string | null }} props */
export function ChainOrder({ guide, error }) {
  const [isOpen, setOpen] = useState(false);
  const config = inForce(guide, settings.value);
  const dialect = dialectOf(guide, settings.value);
  const own = settings.value.processors;
  const order = orderOf(dialect.order, own, stagesOn(guide, config));
  const isShown = isOpen || error !== null;
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    setOpen(!isShown);
  };
  return html`
    <details class="settings-group" open=${isShown} data-setting="processors">
      <summary onClick=${toggle}>
        <span class="settings-group-name">${t("order")}</span>
        <span class="settings-group-count">${own ? t("order_own") : t("order_dialect", { dialect: dialect.name })}</span>
      </summary>
      ${isShown &&
      html`
        <div class="settings-group-fields chain-order">
          <p class="field-said">${order.length > 0 ? t("order_intro") : t("order_empty")}</p>
          <${Stages} order=${order} config=${config} />
          ${error && html`<p class="field-error" role="status">${error}</p>`}
          <button type="button" disabled=${!own} onClick=${() => setSetting("processors", undefined)}>
            ${t("order_reset", { dialect: dialect.name })}
          </button>
        </div>
      `}
    </details>
  `;
}

/**
 * The settings in force: as the server says, or where it has not said it yet, or refuses them, as far
 * as it is known.
 *
 * @param {import("./guide.js").Guide} guide
 * @param {Record<string, any>} wanted
 */
function inForce(guide, wanted) {
  return checked.value?.of === wanted ? { ...checked.value.config, ...wanted } : filledIn(guide, wanted);
}

/** @param {{ order: string[], config: Record<string, any> }} props */
function Stages({ order, config }) {
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  const [dragged, setDragged] = useState(/** @type {string | null} */ (null));
  const move = (/** @type {string} */ name, /** @type {number} */ to) => {
    const from = order.indexOf(name);
    if (to < 0 || to >= order.length || to === from) return;
    setSetting("processors", moved(order, from, to));
    announce(t("moved", { name, place: to + 1, count: order.length }));
  };
  const drag = (/** @type {PointerEvent} */ event) => {
    if (dragged !== null) move(dragged, placeAt(list.current, event.clientY));
  };
  const end = () => setDragged(null);
  return html`
    <ol ref=${list} class="chain" onPointerMove=${drag} onPointerUp=${end} onPointerCancel=${end}>
      ${order.map(
        (name, place) => html`
          <${StageRow}
            key=${name}
            name=${name}
            value=${config[name]}
            place=${place}
            last=${order.length - 1}
            isDragged=${dragged === name}
            grasp=${() => setDragged(name)}
            move=${(/** @type {number} */ to) => move(name, to)}
          />
        `,
      )}
    </ol>
  `;
}

/**
 * Which place of a list a pointer is over.
 *
 * @param {HTMLElement | null} list
 * @param {number} y
 */
function placeAt(list, y) {
  const rows = [...(list?.children ?? [])].map((row) => row.getBoundingClientRect());
  const below = rows.findIndex((row) => y < row.bottom);
  return below < 0 ? rows.length - 1 : below;
}

/**
 * @param {{ name: string, value: any, place: number, last: number, isDragged: boolean, grasp: () => void,
 *   move: (to: number) => void }} props
 */
function StageRow({ name, value, place, last, isDragged, grasp, move }) {
  const take = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // no text is marked, nothing scrolls
    /** @type {HTMLElement} */ (event.currentTarget).closest("ol")?.setPointerCapture(event.pointerId);
    grasp();
  };
  return html`
    <li class="chain-stage" data-chain=${name} data-dragged=${isDragged}>
      <span class="chain-grip" title=${t("drag", { name })} aria-hidden="true" onPointerDown=${take}>⠿</span>
      <span class="chain-name">${name}</span>
      <span class="chain-value">${value === undefined ? "" : showValue(value)}</span>
      <button type="button" class="quiet" aria-label=${t("up", { name })} aria-disabled=${place === 0} onClick=${() => move(place - 1)}>
        <span aria-hidden="true">↑</span>
      </button>
      <button type="button" class="quiet" aria-label=${t("down", { name })} aria-disabled=${place === last} onClick=${() => move(place + 1)}>
        <span aria-hidden="true">↓</span>
      </button>
    </li>
  `;
}
