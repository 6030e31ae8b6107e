/** What is known of the server: its model, and whether it answers. */

import { signal } from "@preact/signals";
import { json } from "../api/http.js";

/** The name of the model; "" until it is known. */
export const serverModel = signal("");

/** Whether the last request got an answer. */
export const isReachable = signal(true);

/** Ask the server who it is. */
export async function meetServer() {
  const { data } = await json("v1/models");
  serverModel.value = data[0].id;
}
