/** How a token came to be chosen, as a paragraph. */

import { html } from "../../app/html.js";
import { language } from "../../app/words.js";
import { storyOf } from "./story.js";

/** @param {{ token: import("../../text/token.js").Token }} props one with a step */
export function StoryText({ token }) {
  return html`<p dir="auto">${storyOf(token, language.value)}</p>`;
}
