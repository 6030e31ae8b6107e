/** The style of views that are fetched when they are opened. */

/** @type {Promise<void> | null} */
let asking = null;

/** Fetch it, once, and wait until it holds; a failure can be tried again. */
export function fetchLaterStyle() {
  asking ??= linked("later.css").catch((error) => {
    asking = null;
    throw error;
  });
  return asking;
}

/**
 * @param {string} name of a style that lies beside the page's own
 * @returns {Promise<void>}
 */
function linked(name) {
  const first = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=stylesheet]"));
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(name, first.href).href;
  return new Promise((resolve, reject) => {
    link.onload = () => resolve();
    link.onerror = () => {
      link.remove();
      reject(new Error(`${name} could not be fetched`));
    };
    document.head.append(link);
  });
}
