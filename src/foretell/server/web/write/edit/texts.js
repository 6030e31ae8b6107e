/** What is said where the text is edited. */

import { words } from "../../app/words.js";

export const texts = {
  en: {
    edited: "Edited text",
    help: "{kept} of {all} tokens stay as they are. What you type is cut into tokens anew, on a branch of its own.",
    done: "Done",
    go_on: "Done, and continue",
    cancel: "Cancel",
  },
  ko: {
    edited: "고친 글",
    help: "토큰 {all}개 가운데 {kept}개는 그대로 남습니다. 입력한 글은 새로 토큰으로 나뉘어 새 가지에 놓입니다.",
    done: "완료",
    go_on: "완료하고 이어 쓰기",
    cancel: "취소",
  },
};

export const t = words(texts);
