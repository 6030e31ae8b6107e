/** JSX without a build step. What is put in between is text or an attribute, never markup. */

import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
