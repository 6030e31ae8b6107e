/** A control that is fetched when it is first to be seen. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { tell } from "../../app/notices.js";
import { html } from "../../app/html.js";

/** @type {import("@preact/signals").Signal<Record<string, import("preact").FunctionComponent<any>> | null>} */
const rare = signal(null);

function fetchRare() {
  import("../rare/controls.js").then(
    (module) => {
      rare.value = module.RARE;
    },
    (error) => tell("error", error.message),
  );
}

/** @param {import("./controls.js").ControlProps} props */
export function RareField(props) {
  useEffect(() => {
    if (rare.value === null) fetchRare();
  }, []);
  if (rare.value === null) return null;
  const Control = rare.value[props.topic.notation];
  if (!Control) throw new Error(`no control fits ${props.topic.name}, which is written as ${props.topic.notation}`);
  return html`<${Control} ...${props} />`;
}
