// How fast the playground is in a browser: make page-speed. Nothing here is a test; it prints figures.
//
//   first view   bytes over the wire, and when the prompt can be written in: median and worst of ROUNDS
//   frames       gaps between frames while 300 traced tokens a second come in, up to 2,000 tokens; and
//                the processor's time that each task of the page takes, whatever else the machine does
//   hover        from the pointer's event to the frame that shows the token's panel
//   memory       JavaScript's heap after each of twenty long generations, which are all kept
import { availableParallelism, loadavg } from "node:os";
import { cpuOfTasks } from "../support/tracing.mjs";
import { after, test } from "node:test";
import { newContext, openPage, toyServer } from "../support/browser.mjs";

const ROUNDS = 15;
const RATE = 360; // at most: 300 and some come
const NUM_TOKENS = 2000;
const NUM_GENERATIONS = 20;
const WORDS = "the cat sat on the mat and looked at the moon, as the cats of the town do. ";

const figures = {};
const say = (name, found) => {
  figures[name] = found;
  console.log(name.padEnd(10), JSON.stringify(found));
};

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[Math.floor(numbers.length / 2)];
const quantile = (numbers, share) => sorted(numbers)[Math.min(numbers.length - 1, Math.floor(share * numbers.length))];
const round = (number) => Math.round(number * 10) / 10;

const server = await toyServer({ lines: [WORDS.repeat(60)], rate: RATE });

after(() => console.log(JSON.stringify({ ...figures, cores: availableParallelism(), load: round(loadavg()[0]) })));

test("first view", async () => {
  const times = [];
  const again = [];
  let wire = { files: 0, data: 0 };
  for (let count = 0; count < ROUNDS; count += 1) {
    const context = await newContext();
    const page = await context.newPage();
    await page.addInitScript(markReady);
    const sizes = await watchSizes(context, page);
    times.push(await openTimed(page));
    await page.waitForLoadState("networkidle");
    wire = { ...sizes };
    again.push(await openTimed(page));
    await context.close();
  }
  say("first", {
    file_bytes: wire.files,
    api_bytes: wire.data,
    interactive_ms: round(median(times)),
    worst_ms: round(Math.max(...times)),
    again_ms: round(median(again)),
  });
});

/** Runs in the page: notes when the prompt is drawn. */
function markReady() {
  const look = () => {
    if (document.querySelector("textarea") === null) requestAnimationFrame(look);
    else requestAnimationFrame(() => (globalThis.readyAt = performance.now()));
  };
  requestAnimationFrame(look);
}

async function openTimed(page) {
  await page.goto(server.url);
  await page.waitForFunction(() => globalThis.readyAt);
  return page.evaluate(() => globalThis.readyAt);
}

async function watchSizes(context, page) {
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  const urls = {};
  const sizes = { files: 0, data: 0 };
  session.on("Network.responseReceived", ({ requestId, response }) => (urls[requestId] = response.url));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const url = urls[requestId] ?? "";
    sizes[url.includes("/playground/") || url === server.url ? "files" : "data"] += encodedDataLength;
  });
  return sizes;
}

/** Write a long text, greedily; it is there when this ends. */
function write(page, num_tokens, prompt) {
  return page.evaluate(
    async ([length, text]) => {
      const { parts } = await import(document.querySelector("script[src]").src);
      const { tree, settings } = parts["state/store.js"];
      settings.value = { temperature: 0, max_new_tokens: length, ignore_eos: true };
      tree.value = parts["state/tree.js"].newTree({ mode: "text", text, messages: [], ids: null });
      await parts["state/generation.js"].goOn();
    },
    [num_tokens, prompt],
  );
}

test("frames", async () => {
  const context = await newContext();
  const page = await context.newPage();
  await openPage(page, server.url);
  await page.evaluate(() => {
    globalThis.gaps = [];
    let last = performance.now();
    const frame = (now) => {
      globalThis.gaps.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const start = performance.now();
  const tasks = await cpuOfTasks(page, () => write(page, NUM_TOKENS, WORDS.slice(0, 20)));
  const seconds = (performance.now() - start) / 1000;
  const gaps = await page.evaluate(() => globalThis.gaps);
  say("frames", {
    tokens_per_second: Math.round(NUM_TOKENS / seconds),
    median_ms: round(median(gaps)),
    p99_ms: round(quantile(gaps, 0.99)),
    worst_ms: round(Math.max(...gaps)),
    over_50_ms: gaps.filter((gap) => gap > 50).length,
    frames: gaps.length,
    task_cpu_p99_ms: round(quantile(tasks, 0.99)),
    task_cpu_worst_ms: round(Math.max(...tasks)),
    cpu_per_token_ms: round(tasks.reduce((sum, one) => sum + one, 0) / NUM_TOKENS),
  });
  await hover(page);
  await context.close();
});

/** The time from a pointer on a token to the frame in which the panel shows it. */
async function hover(page) {
  const tokens = page.getByRole("region", { name: "Text", exact: true }).getByRole("button");
  const panel = page.getByRole("region", { name: "Token", exact: true });
  if ((await panel.count()) === 0) return;
  await panel.evaluate((element) => {
    globalThis.times = [];
    let at = null;
    document.addEventListener("pointerover", () => (at ??= performance.now()), { capture: true });
    new MutationObserver(() => {
      if (at === null) return;
      const since = at;
      at = null;
      requestAnimationFrame(() => globalThis.times.push(performance.now() - since));
    }).observe(element, { childList: true, characterData: true, subtree: true });
  });
  for (let index = 5; index < 45; index += 1) {
    const box = await tokens.nth(index).boundingBox();
    if (box === null) continue;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.waitForTimeout(60);
  }
  const times = await page.evaluate(() => globalThis.times);
  if (times.length > 0) say("hover", { median_ms: round(median(times)), p90_ms: round(quantile(times, 0.9)), count: times.length });
}

test("memory", async () => {
  const context = await newContext();
  const page = await context.newPage();
  await openPage(page, server.url);
  const session = await context.newCDPSession(page);
  const heaps = [];
  for (let count = 0; count < NUM_GENERATIONS; count += 1) {
    await write(page, 1000, WORDS.slice(0, 20 + count));
    await page.waitForTimeout(1000); // until it is in the database
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    heaps.push(round(usedSize / 2 ** 20));
  }
  say("memory", { first_mib: heaps[0], fifth_mib: heaps[4], last_mib: heaps.at(-1) });
  await context.close();
});
