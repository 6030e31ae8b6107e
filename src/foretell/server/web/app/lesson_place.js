/** Where a lesson's text stands, above the view; what draws it is fetched with the first lesson. */

import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { fetchLaterStyle } from "./later_style.js";
import { lesson } from "../state/lesson.js";

export function LessonPlace() {
  const [Bar, setBar] = useState(/** @type {any} */ (null));
  const isNeeded = lesson.value !== null;
  useEffect(() => {
    if (!isNeeded) return;
    Promise.all([import("../learn/lesson_bar.js"), fetchLaterStyle()]).then(([module]) => setBar(() => module.LessonBar));
  }, [isNeeded]);
  return isNeeded && Bar !== null ? html`<${Bar} />` : null;
}
