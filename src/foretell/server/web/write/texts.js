/** What the view "Write" says. */

import { words } from "../app/words.js";

export const texts = {
  en: { prompt: "Prompt", generate: "Generate", stop: "Stop", step: "Step" },
  ko: { prompt: "프롬프트", generate: "생성", stop: "중지", step: "한 걸음" },
};

export const t = words(texts);
