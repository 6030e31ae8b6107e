// Where node finds what the page's import map names; and the page's modules are ES modules.
export const WEB = new URL("../../../src/foretell/server/web/", import.meta.url).href;

const LIBRARIES = {
  preact: "preact.js",
  "preact/hooks": "preact-hooks.js",
  htm: "htm.js",
  "@preact/signals-core": "signals-core.js",
  "@preact/signals": "signals.js",
};

export function resolve(name, context, next) {
  if (!(name in LIBRARIES)) return next(name, context);
  return { url: `${WEB}vendor/${LIBRARIES[name]}`, format: "module", shortCircuit: true };
}

export function load(url, context, next) {
  return next(url, url.startsWith(WEB) ? { ...context, format: "module" } : context);
}
