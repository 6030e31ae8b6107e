/** What the help on keys says. */

import { words } from "../words.js";

export const texts = {
  en: {
    title: "Keys",
    generate: "in the prompt: generate",
    token: "the token before, the token after",
    uncertain: "the next token at which the model was uncertain",
    alternative: "the alternatives of the token",
    fork: "on an alternative: fork, and go on from it",
    sibling: "the branch before, the branch after, of those that part at the same place",
    back: "from the alternatives back to the token; once more: keep no token",
    help: "these keys",
    fields: "In fields and lists, keys do what they always do there.",
    close: "Close",
  },
  ko: {
    title: "키보드",
    generate: "프롬프트에서: 생성",
    token: "앞 토큰, 다음 토큰",
    uncertain: "모델이 확신하지 못한 다음 토큰",
    alternative: "토큰의 대안",
    fork: "대안에서: 갈라져 그 토큰으로 이어 쓰기",
    sibling: "같은 곳에서 갈라진 앞 가지, 다음 가지",
    back: "대안에서 토큰으로 돌아가기, 한 번 더 누르면 고정 풀기",
    help: "이 도움말",
    fields: "입력란과 목록에서는 키가 원래대로 움직입니다.",
    close: "닫기",
  },
};

export const t = words(texts);
