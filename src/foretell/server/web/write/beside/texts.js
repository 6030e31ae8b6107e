/** What is said where two branches stand side by side. */

import { words } from "../../app/words.js";

export const texts = {
  en: {
    title: "Side by side",
    one: "Left",
    other: "Right",
    same: "Both have the same {count} tokens.",
    prefix: "They have the same tokens until one ends, at token {position}.",
    differ: "They first differ at token {position}.",
    first: "first difference",
    ends: "ends here",
    shared: "the same in both",
  },
  ko: {
    title: "나란히 보기",
    one: "왼쪽",
    other: "오른쪽",
    same: "두 가지의 토큰 {count}개가 모두 같습니다.",
    prefix: "한쪽이 끝나는 {position}번째 토큰까지 같습니다.",
    differ: "{position}번째 토큰에서 처음으로 달라집니다.",
    first: "처음 다른 곳",
    ends: "여기서 끝",
    shared: "양쪽이 같음",
  },
};

export const t = words(texts);
