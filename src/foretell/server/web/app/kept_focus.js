/**
 * Keeps the keyboard's place: where what has the focus goes away or is disabled, its nearest
 * neighbour gets it. Browsers give it to nothing then, and a screen reader begins at the top.
 * A part of the page names another by `data-heir`, the id of the one that gets it.
 */

/** What can have the focus. */
const FOCUSABLE =
  "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex]";

/** How long parts of the page have to see to it themselves: so many milliseconds, and a frame. */
const GRACE = 50;

/** What had the focus last, and all that it is in, from the inside out. @type {Element[]} */
let path = [];

/** The look at it that is due, since it was lost. @type {object | null} */
let due = null;

/** Keep it from now on; gives the function that ends it. */
export function keepFocus() {
  const note = (/** @type {FocusEvent} */ { target }) => {
    path = pathOf(/** @type {Element} */ (target));
    forget();
  };
  const observer = new MutationObserver(lookLater);
  document.addEventListener("focusin", note);
  observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ["disabled"] });
  return () => {
    document.removeEventListener("focusin", note);
    observer.disconnect();
  };
}

/** @param {Element} element */
function pathOf(element) {
  const found = [];
  for (let one = /** @type {Element | null} */ (element); one !== null; one = one.parentElement) found.push(one);
  return found;
}

function lookLater() {
  if (due !== null || !isLost()) return;
  const look = () => {
    if (due !== look) return; // found since, and perhaps lost anew: that has a look of its own
    forget();
    if (isLost()) heir()?.focus({ preventScroll: true });
  };
  due = look;
  setTimeout(() => requestAnimationFrame(look), GRACE);
}

/** What was lost has been found. */
function forget() {
  due = null;
}

/** Whether it has gone to nothing because of what became of the one that had it. */
function isLost() {
  const [last] = path;
  const now = document.activeElement;
  if (last === undefined || (now !== last && now !== document.body && now !== null)) return false;
  return !last.isConnected || last.matches(":disabled");
}

/**
 * The one that the nearest surroundings of the one that had it name, or the first in them that can
 * be reached; the view, where those are the whole page.
 *
 * @returns {HTMLElement | null}
 */
function heir() {
  const view = document.getElementById("view");
  for (const around of path.slice(1)) {
    const named = document.getElementById(around.getAttribute("data-heir") ?? "");
    if (named?.matches(FOCUSABLE)) return named;
    if (!around.isConnected) continue;
    if (view === null || around === view || around.contains(view)) return view;
    const found = [.../** @type {NodeListOf<HTMLElement>} */ (around.querySelectorAll(FOCUSABLE))].find(isReachable);
    if (found !== undefined) return found;
  }
  return view;
}

/** @param {HTMLElement} element */
function isReachable(element) {
  return element.tabIndex >= 0 && element.getClientRects().length > 0;
}
