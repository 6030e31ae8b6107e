/** What the views "Compare" and "Beams" say alike. */

import { words } from "../app/words.js";

export const texts = {
  en: {
    prompt: "Prompt",
    prompt_of_write: "This is the prompt of Write.",
    prompt_own: "This prompt is of this view alone.",
    use_write: "Use the prompt of Write",
    conversation: "The conversation of Write",
    role_system: "System",
    role_user: "User",
    role_assistant: "Assistant",
    own_prompt: "Write another prompt",
    generate: "Generate",
    stop: "Stop",
    tokens: "Tokens",
    tokens_help: "at most, of each text",
    stopped: "Stopped.",
    done: "Done.",
    no_prompt: "Write a prompt first.",
    take: "Take into Write",
    taken: "The text is a branch in Write now.",
    not_set: "not set",
    json: "All settings as JSON",
    bad_json: "This is no JSON object: {message}",
    end_eos: "end of the text",
    end_token: "stop token",
    end_string: "stop string",
    end_regex: "stop pattern",
    end_loop: "repetition",
    end_criteria: "a criterion",
    end_max_new_tokens: "length",
    end_max_length: "length",
    end_max_time: "time",
    end_context_length: "full context",
  },
  ko: {
    prompt: "프롬프트",
    prompt_of_write: "‘쓰기’ 화면의 프롬프트입니다.",
    prompt_own: "이 화면에서만 쓰는 프롬프트입니다.",
    use_write: "‘쓰기’의 프롬프트 사용",
    conversation: "‘쓰기’ 화면의 대화",
    role_system: "시스템",
    role_user: "사용자",
    role_assistant: "어시스턴트",
    own_prompt: "다른 프롬프트 쓰기",
    generate: "생성",
    stop: "중지",
    tokens: "토큰 수",
    tokens_help: "글 하나의 최대 길이",
    stopped: "중지했습니다.",
    done: "끝났습니다.",
    no_prompt: "먼저 프롬프트를 쓰세요.",
    take: "‘쓰기’로 가져가기",
    taken: "이 글이 ‘쓰기’의 가지가 되었습니다.",
    not_set: "지정 안 함",
    json: "모든 설정을 JSON으로",
    bad_json: "JSON 객체가 아닙니다: {message}",
    end_eos: "글의 끝",
    end_token: "중지 토큰",
    end_string: "중지 문자열",
    end_regex: "중지 패턴",
    end_loop: "반복",
    end_criteria: "중지 조건",
    end_max_new_tokens: "길이",
    end_max_length: "길이",
    end_max_time: "시간",
    end_context_length: "꽉 찬 컨텍스트",
  },
};

export const t = words(texts);

/** @param {string} kind of a stop reason, as the server names it */
export function endName(kind) {
  const name = /** @type {keyof typeof texts.en} */ (`end_${kind}`);
  return name in texts.en ? t(name) : kind;
}
