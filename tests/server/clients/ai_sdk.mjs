// What the AI SDK makes of a server: its answers as JSON on stdout, for test_ai_sdk.py.
// node ai_sdk.mjs FOLDER URL MODEL, with the folder that has node_modules and the API's URL.
import { createRequire } from "node:module";

const [folder, baseURL, name] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { generateText, streamText } = require("ai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const provider = createOpenAICompatible({ name: "foretell", baseURL, includeUsage: true });
const asked = {
  model: provider(name),
  system: "Be brief.",
  prompt: "Name three colours.",
  temperature: 0,
  maxOutputTokens: 14,
  maxRetries: 0,
};

const told = ({ text, finishReason, usage }) => ({ text, finishReason, usage });

const gather = async (result) => {
  const parts = [];
  for await (const part of result.textStream) parts.push(part);
  const [text, finishReason, usage] = await Promise.all([
    result.text,
    result.finishReason,
    result.usage,
  ]);
  return { parts, text, finishReason, usage };
};

const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return { name: error.name, status: error.statusCode, message: error.message };
  }
  return null;
};

const found = {
  generated: told(await generateText(asked)),
  streamed: await gather(streamText(asked)),
  seeded: told(await generateText({ ...asked, temperature: 1, seed: 4 })),
  completed: told(
    await generateText({
      model: provider.completionModel(name),
      prompt: "The cat sat on",
      temperature: 0,
      maxOutputTokens: 14,
      maxRetries: 0,
    }),
  ),
  refused: await failure(generateText({ ...asked, model: provider("gpt-9") })),
};
console.log(JSON.stringify(found));
