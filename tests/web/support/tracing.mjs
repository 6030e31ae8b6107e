// What the browser itself notes of its work.

/**
 * The processor's time of each task that the page's main thread runs meanwhile, in milliseconds.
 *
 * @param {any} page
 * @param {() => Promise<void>} work
 * @returns {Promise<number[]>}
 */
export async function cpuOfTasks(page, work) {
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ["toplevel", "blink.user_timing"] });
  await page.evaluate(() => performance.mark("traced"));
  await work();
  const { traceEvents: events } = JSON.parse(String(await browser.stopTracing()));
  const mark = events.find((event) => event.name === "traced");
  const isTask = ({ name, pid, tid, ts }) => name.endsWith("RunTask") && pid === mark.pid && tid === mark.tid && ts > mark.ts;
  return events.filter(isTask).map((event) => (event.tdur ?? 0) / 1000);
}
