/** Where a lesson's text stands, above the view; what draws it is fetched with the first lesson. */

import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { lesson } from "../state/lesson.js";

export function LessonPlace() {
  const [Bar, setBar] = useState(/** @type {any} */ (null));
  const isNeeded = lesson.value !== null;
  useEffect(() => {
    if (isNeeded) import("../learn/lesson_bar.js").then((module) => setBar(() => module.LessonBar));
  }, [isNeeded]);
  return isNeeded && Bar !== null ? html`<${Bar} />` : null;
}
