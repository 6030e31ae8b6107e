// A way to a server that can be shut and opened: to the page, the server is gone and comes back.
import { once } from "node:events";
import { after } from "node:test";
import net from "node:net";

/**
 * @param {import("./servers.mjs").Server} server
 * @returns {Promise<{ url: string, reason: string | null, shut: () => Promise<void>, open: () => Promise<void> }>}
 */
export async function gateTo(server) {
  const target = new URL(server.url || "http://127.0.0.1:9/");
  const connections = new Set();
  let gate = null;
  let port = 0;
  const open = async () => {
    gate = net.createServer((from) => {
      const to = net.connect(Number(target.port), target.hostname);
      for (const [one, other] of [[from, to], [to, from]]) {
        connections.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", () => connections.delete(one) && other.destroy());
      }
    });
    gate.listen(port, "127.0.0.1");
    await once(gate, "listening");
    port = gate.address().port;
  };
  const shut = async () => {
    if (!gate.listening) return;
    const closed = once(gate, "close");
    gate.close();
    for (const one of connections) one.destroy();
    await closed;
  };
  await open();
  after(shut);
  return { url: `http://127.0.0.1:${port}/`, reason: server.reason, shut, open };
}
