// A slow machine and a slow way to the server, so that a test that reads what is not drawn yet fails.

/** $SLOW: how many times longer pages compute; from 1 on, frames, timers and requests are late. 0: all is as it is. */
const SLOWER = Number(process.env.SLOW ?? 0);
const isSlow = SLOWER > 0;

/** How many times longer than else a test may wait. */
export const TIMES = isSlow ? 6 : 1;

const LATE = 120; // milliseconds by which each frame and timer is late
const [SHORTEST, LONGEST] = [50, 300]; // milliseconds by which a request is late

/**
 * Make the pages of a context slow, before any of them is opened.
 *
 * @param {any} context
 */
export async function slowDown(context) {
  if (!isSlow) return;
  let number = 0;
  await context.route("**/*", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, delayOf(number++)));
    await route.continue().catch(() => undefined); // the page is gone, or has given it up
  });
  await context.addInitScript(beLate, LATE);
}

/**
 * @param {any} page one of a context that was slowed down
 */
export async function slowDownPage(page) {
  if (!isSlow) return;
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
}

/** The same ones in each run, spread over the whole range, so that requests overtake each other. */
const delayOf = (/** @type {number} */ number) => SHORTEST + (LONGEST - SHORTEST) * ((number * 0.618) % 1);

/** Runs in the page. */
function beLate(/** @type {number} */ late) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (act, wait = 0, ...others) => setTimeout(act, wait + late, ...others);
  const soon = globalThis.requestAnimationFrame.bind(globalThis);
  const wanted = new Set();
  let last = 0;
  globalThis.requestAnimationFrame = (act) => {
    const id = ++last;
    wanted.add(id);
    setTimeout(() => soon((time) => wanted.delete(id) && act(time)), late);
    return id;
  };
  globalThis.cancelAnimationFrame = (id) => void wanted.delete(id);
}
