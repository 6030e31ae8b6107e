/** What is said where something cannot be done. */

import { words } from "../app/words.js";

export const texts = {
  en: {
    foreign: "{model} wrote this text; here is {here}, which cuts texts into other tokens. Generate writes it anew.",
  },
  ko: {
    foreign: "이 글은 {model}이(가) 썼고, 여기의 {here}은(는) 글을 다른 토큰으로 나눕니다. 생성하면 새로 씁니다.",
  },
};

export const t = words(texts);
