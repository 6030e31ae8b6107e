/** Names that nobody else has. */

/** A new one; also where a page is no secure context, in which browsers have no `randomUUID`. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
