/** Parts of the page that are fetched when they are first shown. */

import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { tell } from "./notices.js";

/**
 * A component that shows nothing until it has been fetched.
 *
 * @param {() => Promise<any>} load gives the component
 * @returns {(props: any) => any}
 */
export function fetchedLater(load) {
  /** @type {any} */
  let known = null;
  return function FetchedLater(props) {
    const [Found, setFound] = useState(() => known);
    useEffect(() => {
      if (Found !== null) return;
      load().then(
        (component) => {
          known = component;
          setFound(() => component);
        },
        (error) => tell("error", String(error)),
      );
    }, []);
    return Found === null ? null : html`<${Found} ...${props} />`;
  };
}
