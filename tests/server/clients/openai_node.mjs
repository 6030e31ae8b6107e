// What openai-node makes of a server: its answers as JSON on stdout, for test_openai_node.py.
// node openai_node.mjs FOLDER URL, with the folder that has node_modules and the API's URL.
import { createRequire } from "node:module";

const [folder, baseURL] = process.argv.slice(2);
const { default: OpenAI } = createRequire(`${folder}/`)("openai");
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const chat = { model: "toy", messages, seed: 5, max_tokens: 16 };
const completion = { model: "toy", prompt: "the cat sat", seed: 5, max_tokens: 16 };
const response = { model: "toy", input: "hello", max_output_tokens: 16, seed: 5 };
const ending = { stop_regex: "[A-Z5]" };

const gather = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    const { status, code, param, type, requestID } = error;
    return { name: error.constructor.name, status, code, param, type, requestID };
  }
  return null;
};

const cases = {
  chat: () => client.chat.completions.create(chat),
  chat_of_three: () =>
    client.chat.completions.create({ ...chat, n: 3, logprobs: true, top_logprobs: 2 }),
  chat_stream: async () =>
    gather(
      await client.chat.completions.create({
        ...chat,
        stream: true,
        stream_options: { include_usage: true },
      }),
    ),
  chat_helper: async () => {
    const runner = client.chat.completions.stream({ ...chat, ...ending, n: 2 });
    const texts = ["", ""];
    runner.on("chunk", (chunk) => {
      for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
    });
    const final = await runner.finalChatCompletion();
    return { texts, final };
  },
  completion: () => client.completions.create({ ...completion, n: 2, logprobs: 1 }),
  completion_stream: async () => gather(await client.completions.create({ ...completion, stream: true })),
  response: () => client.responses.create(response),
  response_stream: async () => gather(await client.responses.create({ ...response, stream: true })),
  response_helper: async () => {
    const stream = client.responses.stream({ ...response, ...ending });
    const types = [];
    stream.on("event", (event) => types.push(event.type));
    const final = await stream.finalResponse();
    return { types, text: final.output_text };
  },
  models: async () => gather(client.models.list()),
  raw: async () => {
    const { data, response, request_id } = await client.chat.completions
      .create(chat)
      .withResponse();
    return { status: response.status, request_id, seed: response.headers.get("x-foretell-seed"), data };
  },
  bad_request: () => failure(client.chat.completions.create({ ...chat, temperature: -1 })),
  no_model: () => failure(client.chat.completions.create({ ...chat, model: "gpt-9", stream: true })),
  no_path: () => failure(client.embeddings.create({ model: "toy", input: "hello" })),
  aborted: async () => {
    const stream = await client.completions.create({ ...completion, max_tokens: 100, stream: true });
    for await (const chunk of stream) {
      stream.controller.abort();
      return chunk.object;
    }
  },
};

const found = {};
for (const [name, run] of Object.entries(cases)) found[name] = await run();
console.log(JSON.stringify(found));
