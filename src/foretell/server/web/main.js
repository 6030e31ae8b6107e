/** Starts the playground. */

import { render } from "preact";
import { html } from "./app/html.js";
import { App } from "./app/app.js";
import { tell } from "./app/notices.js";
import { meetServer } from "./state/server.js";

const place = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${App} />`, place);
meetServer().catch((error) => tell("error", error.message));
