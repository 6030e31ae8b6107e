/** Whether the server answers. */

import { signal } from "@preact/signals";

/** Whether the last request got an answer, whatever it was. */
export const isReachable = signal(true);
