/** Starts the playground. */

import { render } from "preact";
import { html } from "./app/html.js";
import { App } from "./app/app.js";
import { tell } from "./app/notices.js";
import { followReachable } from "./app/reachable_notice.js";
import { followAddress } from "./share/replaying.js";
import { startSession } from "./share/session/session.js";
import { followServer, isReachable, meetServer } from "./state/server.js";

const place = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${App} />`, place);
followReachable();
followServer();
meetServer().catch(({ status, message }) => status === 401 || !isReachable.value || tell("error", message));
startSession().then(followAddress);
