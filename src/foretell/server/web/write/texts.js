/** What the view "Write" says. */

import { words } from "../app/words.js";

export const texts = {
  en: { prompt: "Prompt", generate: "Generate", stop: "Stop", step: "Step", text: "Text", token: "Token" },
  ko: { prompt: "프롬프트", generate: "생성", stop: "중지", step: "한 걸음", text: "글", token: "토큰" },
};

export const t = words(texts);
