/**
 * The guide in Korean. Names of settings, formulas and sources stay as they are. A test holds the
 * names here to the guide's.
 */

/** @type {Record<string, string>} */
export const GROUPS = {
  Strategy: "전략",
  Temperature: "온도",
  "Samplers that cut": "자르는 샘플러",
  "Samplers that steer": "방향을 바꾸는 샘플러",
  Repetition: "반복",
  "Words and tokens": "단어와 토큰",
  "Structured output": "구조화된 출력",
  Reasoning: "추론",
  "Length and end": "길이와 끝",
  Reports: "보고",
};

/** @type {Record<string, { task: string, why: string }>} */
export const PRESETS = {
  code: { task: "코드 작성", why: "정확성이 중요합니다" },
  creative: { task: "창작 글쓰기", why: "다양성이 중요합니다" },
  chat: { task: "대화", why: "정확성과 다양성의 균형입니다" },
  summary: { task: "요약", why: "사실에서 벗어나지 않아야 합니다" },
  greedy: { task: "매번 같은 답", why: "가장 그럴듯한 토큰을 고릅니다" },
  precise: { task: "짧은 사실 답변", why: "우연을 줄이고 반복을 억제합니다" },
  model: { task: "모델을 만든 사람들이 권하는 설정", why: "모델 파일에 적혀 있습니다" },
};

/** What each setting means, and what low and high values lead to. @type {Record<string, [string, string?, string?]>} */
export const SETTINGS = {
  do_sample: ["토큰을 확률에 따라 뽑을지, 가장 그럴듯한 토큰을 고를지 정합니다"],
  preset: ["작업에 맞춘 설정 묶음입니다. 직접 정한 값이 우선합니다"],
  dialect: ["설정의 순서, 동점 처리, 범위, 기본값을 어느 시스템에 맞출지 정합니다"],
  seed: ["무작위 추출을 모두 고정합니다"],
  speculate: ["이 글의 토큰을 미리 추측해 둘 수 있는지 정합니다. 결과는 같습니다"],
  num_return_sequences: ["프롬프트 하나에 생성할 글의 수", "글 하나", "글 여러 개. 프롬프트는 한 번만 계산합니다"],
  num_beams: ["나란히 유지할 후보의 수. 1이면 빔 서치를 하지 않습니다", "토큰 한 줄기", "글 전체로 보아 더 그럴듯하지만 그만큼 많은 시퀀스를 계산합니다"],
  length_penalty: ["빔의 점수를 나누는 길이의 지수", "짧은 글이 유리", "긴 글이 유리"],
  early_stopping: ["빔 서치를 언제 끝낼지 정합니다. 켬: 글이 num_beams개 모이는 즉시, 끔: 더 나은 글이 나오기 어려울 때, never: 더 나은 글이 나올 수 없을 때"],
  patience: ["patience · num_beams개의 글이 모이면 빔 서치를 끝냅니다", "먼저 나온 글에서 끝남", "더 나은 글을 더 찾음"],
  num_beam_groups: ["빔을 나눠 갖는 그룹의 수", "모든 빔이 한 무리로 찾음", "글이 서로 더 다름. 각 그룹은 앞 그룹이 쓴 말을 피합니다"],
  diversity_penalty: ["앞 그룹의 빔이 방금 쓴 토큰에서, 쓴 빔마다 빼는 값", "그룹들이 같은 말을 함", "그룹들이 같은 자리에서 같은 말을 하지 않음"],
  force_words: ["글에 꼭 들어가야 하는 말(텍스트나 토큰 ID 목록). 순서는 상관없고, 목록 하나에 여럿을 적으면 그 가운데 하나면 됩니다"],
  stochastic_beams: ["서로 다른 글 num_beams개를 뽑습니다. 복원하지 않는 추출입니다"],
  penalty_alpha: ["대조 탐색: top_k개 후보를 비교할 때 앞에 쓴 글과 비슷한 정도에 두는 무게. 0이면 끕니다", "그리디와 같음", "그럴듯하지 않아도 앞과 다른 말"],
  dola_layers: ["마지막 층의 판단에서 앞쪽 층의 판단을 뺍니다. low, high 또는 층 번호"],
  processors: ["처리 단계 전체를 설정 이름으로, 이 순서대로 적습니다"],
  logits_processor: ["샘플러보다 먼저 로짓 한 행에 적용할 함수"],
  remove_invalid_values: ["NaN이나 무한대인 로짓이 있으면 오류를 내지 않고 바꿔 넣습니다"],
  renormalize_logits: ["마지막 단계에서 log-softmax를 적용합니다"],
  temperature: ["로짓을 이 값으로 나눕니다. 0이면 그리디입니다", "결정적이고 같은 말을 되풀이", "창의적이다가 점점 횡설수설"],
  dynatemp_range: ["엔트로피에 따라 온도가 움직일 수 있는 폭", "온도 고정", "확신하는 곳은 차갑게, 망설이는 곳은 뜨겁게"],
  dynatemp_exponent: ["온도가 엔트로피를 따라가는 방식", "엔트로피가 조금만 있어도 온도가 오름", "엔트로피가 최대에 가까워야 오름"],
  top_k: ["가장 그럴듯한 토큰 k개만 남깁니다. 0이면 꺼집니다", "안전하고 평범", "다양"],
  top_p: ["확률의 합이 이 값에 이르는 가장 작은 집합만 남깁니다. 1이면 꺼집니다", "집중", "다양"],
  min_p: ["가장 그럴듯한 토큰의 확률에 이 비율을 곱한 값 이상만 남깁니다. 0이면 꺼집니다", "다양", "최선의 토큰과 겨룰 만한 것만"],
  typical_p: ["가장 전형적인 토큰부터 확률의 합이 이 값이 될 때까지 남깁니다. 1이면 꺼집니다", "예상만큼 놀라운 토큰만", "다양"],
  epsilon_cutoff: ["확률이 이 값 이상인 토큰만 남깁니다. 0이면 꺼집니다", "긴 꼬리만 제거", "조금 드문 토큰까지 제거"],
  eta_cutoff: ["epsilon_cutoff와 같지만 엔트로피가 높으면 기준이 낮아집니다. 0이면 꺼집니다", "긴 꼬리만 제거", "더 많이, 특히 모델이 확신하는 곳에서 제거"],
  top_h: ["그럴듯한 토큰부터 엔트로피의 이 비율까지 남깁니다", "집중", "다양"],
  top_n_sigma: ["가장 큰 로짓에서 표준편차의 n배 안에 있는 것만 남깁니다. 0이면 꺼집니다", "그리디에 가까움", "다양. top-p와 달리 온도가 바뀌어도 같음"],
  min_tokens_to_keep: ["샘플러가 남겨야 할 후보의 최소 수", "하나만 남을 수 있음", "언제나 고를 여지가 있음"],
  xtc_probability: ["가장 그럴듯한 토큰들을 빼는 빈도. 0이면 꺼집니다", "익숙한 길을 거의 벗어나지 않음", "거의 매번 벗어남"],
  xtc_threshold: ["확률이 이 값 이상이면 가장 그럴듯한 토큰으로 봅니다. 0.5를 넘으면 꺼집니다", "많은 토큰을 제거", "적은 토큰을 제거"],
  xtc_exempt_tokens: ["줄바꿈처럼 XTC가 절대 빼지 않을 토큰의 id"],
  mirostat: ["mirostat의 버전. 0이면 꺼집니다"],
  mirostat_tau: ["목표로 하는 놀라움(비트)", "예측 가능", "의외"],
  mirostat_eta: ["mirostat이 자신을 고쳐 가는 속도", "천천히 교정", "급격히 교정"],
  adaptive_target: ["뽑힌 토큰의 평균 확률로 삼을 목표", "드문 토큰을 선호", "그럴듯한 토큰을 선호"],
  adaptive_decay: ["adaptive-p가 지난 추출을 잊는 느린 정도", "직전 토큰을 곧바로 만회", "천천히 만회"],
  repetition_penalty: ["이미 나온 토큰의 로짓을 이 값으로 나눕니다(음수면 곱합니다)", "되풀이함", "반복이 줄고, 지나치면 필요한 단어도 피함"],
  frequency_penalty: ["토큰이 나온 횟수마다 로짓에서 이만큼 뺍니다", "0보다 작으면 반복을 부름", "자주 나온 토큰일수록 드물어짐"],
  presence_penalty: ["한 번이라도 나온 토큰의 로짓에서 이만큼 뺍니다", "0보다 작으면 같은 단어를 고수", "새 단어, 새 화제"],
  penalty_scope: ["페널티가 살피는 범위: 프롬프트(prompt), 출력(output), 전체(all), 또는 마지막 n개 토큰"],
  penalty_exempt_tokens: ["이 페널티들을 받지 않을 토큰의 id"],
  dry_multiplier: ["같은 토큰열을 되풀이할 때 주는 페널티의 세기. 0이면 꺼집니다", "약함", "어떤 구절도 두 번 나오지 않음"],
  dry_base: ["반복이 길어질수록 그 페널티가 커지는 정도", "긴 반복도 조금만 더 불리", "긴 반복은 곧 끝남"],
  dry_allowed_length: ["페널티 없이 되풀이해도 되는 토큰 수", "흔한 구절도 걸림", "긴 반복만 걸림"],
  dry_penalty_last_n: ["되돌아보는 토큰 수. 정하지 않으면 전부입니다", "앞부분을 잊음", "앞부분을 기억함"],
  dry_sequence_breakers: ["DRY가 그 너머를 되돌아보지 않는 글"],
  no_repeat_ngram_size: ["이 크기의 n-그램은 두 번 나오지 않습니다. 0이면 꺼집니다", "흔한 구절도 걸림", "긴 반복만 금지"],
  bad_words: ["쓰면 안 되는 글"],
  bad_words_ids: ["쓰면 안 되는 토큰 id의 나열"],
  allowed_token_ids: ["이 토큰 id만 쓸 수 있습니다"],
  suppress_tokens: ["쓰면 안 되는 토큰의 id"],
  begin_suppress_tokens: ["맨 처음에 오면 안 되는 토큰의 id"],
  logit_bias: ["id나 글로 지정한 토큰의 로짓에 더하는 값. -inf는 금지입니다"],
  sequence_bias: ["다른 id들이 막 나온 자리에서 마지막 토큰의 로짓에 더하는 값"],
  watermark: ["일부 토큰을 더 그럴듯하게 만들어 나중에 글을 알아볼 수 있게 합니다"],
  token_healing: ["프롬프트의 마지막 토큰들을 거두고, 더 긴 토큰의 일부로 다시 쓰게 합니다"],
  forced_bos_token_id: ["맨 처음에 올 토큰의 id"],
  prefix_allowed_tokens_fn: ["지금까지의 id를 받아 다음에 허용할 id를 돌려주는 함수"],
  guidance_scale: ["부정 프롬프트에서 멀어지는 정도. 1이면 꺼집니다", "유도가 없는 것과 같음", "부정 프롬프트가 이끄는 것에서 멀어짐"],
  negative_prompt: ["멀어지고 싶은 글. 정하지 않으면 프롬프트의 마지막 토큰입니다"],
  json_schema: ["글이 따를 JSON 스키마"],
  json: ["글을 JSON 객체로 쓸지 정합니다"],
  regex: ["글 전체가 들어맞을 정규식"],
  choices: ["이 가운데 하나를 그대로 씁니다"],
  grammar: ["글이 따를 문법. Lark나 llama.cpp의 GBNF 표기로 씁니다"],
  structural_tag: ["자유로운 글에서 정해진 태그 사이만 스키마에 맞는 JSON으로 씁니다"],
  json_whitespace: ["JSON에 들어가는 공백: 두 글자까지 자유롭게(free), 쉼표와 쌍점 뒤에 한 칸(fixed), 없음(compact)"],
  lenient: ["스키마에서 지키게 할 수 없는 부분은 넘어가고, 다 쓴 글이 스키마에 맞는지 나중에 확인합니다"],
  thinking_budget: ["<think>와 </think> 사이에 쓸 토큰의 최대 수. 다 쓰면 </think>를 강제합니다", "바로 답함. 0이면 생각하지 않음", "생각하고 싶은 만큼 생각함"],
  allow_thinking: ["형식이 정해진 글 앞에 <think>...</think>가 올 수 있는지 정합니다. 생각을 따로 쓰는 템플릿의 대화에서는 켜져 있습니다"],
  max_new_tokens: ["생성할 토큰의 최대 수", "짧게 끊김", "글이 끝나거나 컨텍스트가 찰 때까지"],
  max_length: ["프롬프트와 출력을 합한 토큰의 최대 수", "짧게 끊김", "글이 끝나거나 컨텍스트가 찰 때까지"],
  min_new_tokens: ["생성할 토큰의 최소 수", "바로 끝날 수 있음", "필요하든 아니든 계속"],
  min_length: ["프롬프트와 출력을 합한 토큰의 최소 수", "바로 끝날 수 있음", "필요하든 아니든 계속"],
  max_time: ["이만큼의 초가 지나면 멈춥니다. 토큰마다 확인하며 프롬프트를 읽는 동안은 확인하지 않습니다", "짧게 끊김", "걸리는 만큼"],
  stop: ["출력을 끝내는 글"],
  include_stop_str_in_output: ["출력을 끝낸 글을 남겨 둡니다"],
  show_special_tokens: ["글에 특수 토큰을 이름으로 적습니다. id에는 어느 쪽이든 들어 있습니다"],
  stop_regex: ["출력을 끝내는 정규식"],
  stop_token_ids: ["출력을 끝내는 토큰의 id. 글에는 들어가지 않습니다"],
  eos_token_id: ["모델의 종료 토큰을 대신할 id"],
  ignore_eos: ["종료 토큰이 나와도 계속합니다"],
  forced_eos_token_id: ["길이 한도에서 마지막에 올 토큰의 id. 여럿이면 그중 하나입니다"],
  exponential_decay_length_penalty: ["(시작, 배율): 시작 토큰부터 종료 토큰의 비중이 커집니다"],
  repetition_detection: ["출력이 맴돌면 끝냅니다. 켬: 20개 이하의 토큰이 4번 되풀이될 때"],
  stopping_criteria: ["지금까지의 글과 id를 받아 멈출지 알려 주는 함수"],
  logprobs: ["뽑힌 토큰마다 함께 보고할 다른 후보의 수", "뽑힌 토큰만", "후보가 많고 출력이 커짐"],
  logprobs_stage: ["보고할 로그 확률의 단계: 모델(raw), 페널티와 금지를 거친 뒤(processed), 뽑을 때(final)"],
  prompt_logprobs: ["프롬프트 토큰마다 함께 보고할 다른 후보의 수", "프롬프트 토큰만", "후보가 많음"],
  trace: ["각 단계가 토큰마다 무엇을 했는지 기록합니다"],
};

/** Which values a setting takes, in words. @type {Record<string, string>} */
export const FORMS = {
  "an integer": "정수",
  "a number": "수",
  "True or False": "켬 또는 끔",
  'True, False or "never"': "켬, 끔 또는 never",
  texts: "글",
  "regular expressions": "정규식",
  "a text or token ids": "글 또는 토큰 id",
  "a token id": "토큰 id 하나",
  "token ids": "토큰 id",
  "lists of token ids": "토큰 id 목록들",
  "numbers by token id or text": "토큰 id나 글마다 수 하나",
  "numbers by token ids": "토큰 id들마다 수 하나",
  "prompt, output, all or a number": "prompt, output, all 또는 수",
  "start ≥ 0, factor > 0": "시작 ≥ 0, 배율 > 0",
  "True, or sizes and count": "켬, 또는 크기와 횟수",
  "a JSON schema": "JSON 스키마",
  "a regular expression": "정규식 하나",
  "a grammar": "문법",
  "structures, and triggers": "structures와 triggers",
  "free, fixed, compact": "free, fixed 또는 compact",
  '"low", "high" or numbers of layers': "low, high 또는 층 번호",
  "True, or what marks": "켬, 또는 표시 방법",
};

/**
 * What a setting does not go with and what dialects make of it: clauses that the server makes from its
 * table, each of one of these forms.
 *
 * @type {readonly [RegExp, string][]}
 */
export const CLAUSES = [
  [/^above 0 contradicts dola_layers$/, "0보다 크면 dola_layers와 함께 쓸 수 없음"],
  [/^must have top_k, of 2 or more; contradicts what samples, since nothing is drawn$/, "2 이상의 top_k가 있어야 함. 아무것도 뽑지 않으므로 샘플링 설정과 함께 쓸 수 없음"],
  [/^is of texts: the template ends a chat's prompt$/, "글에만 쓰임. 대화의 프롬프트는 템플릿이 끝맺음"],
  [/^tokens taken back count as the prompt's: max_new_tokens and min_new_tokens are of those beyond$/, "되돌린 토큰은 프롬프트에 속하므로, max_new_tokens와 min_new_tokens는 그 뒤의 토큰만 셈"],
  [/^a text of several tokens is a sequence_bias: its last token has the bias where the others have just been written$/, "여러 토큰으로 된 글은 sequence_bias와 같음: 앞의 토큰들이 막 나온 자리에서 마지막 토큰에 값을 더함"],
  [/^in the dialect llama\.cpp each of them has it$/, "llama.cpp 방언에서는 토큰마다 값을 더함"],
  [/^contradicts do_sample=False \(greedy\)$/, "do_sample=False(그리디)와 함께 쓸 수 없음"],
  [/^0 \(greedy\) contradicts do_sample=True, and passes over all samplers$/, "0(그리디)이면 do_sample=True와 함께 쓸 수 없고 모든 샘플러를 건너뜀"],
  [/^False contradicts what samples: (.+)$/, "False이면 샘플링 설정과 함께 쓸 수 없음: $1"],
  [/^contradicts mirostat, which chooses the cut itself$/, "자를 곳을 스스로 정하는 mirostat과 함께 쓸 수 없음"],
  [/^contradicts what cuts: (.+)$/, "자르는 설정과 함께 쓸 수 없음: $1"],
  [/^contradicts processors: put all in one$/, "processors와 함께 쓸 수 없음. 하나에 모두 적어야 함"],
  [/^must name every setting that is on; contradicts logits_processor$/, "켜진 설정을 모두 적어야 하며 logits_processor와 함께 쓸 수 없음"],
  [/^above 1 contradicts greedy decoding, which writes one text; must not be above num_beams where that is above 1$/, "1보다 크면 글을 하나만 쓰는 그리디와 함께 쓸 수 없음. num_beams가 1보다 크면 그보다 클 수 없음"],
  [/^at 1 it is early_stopping=True; contradicts early_stopping='never'; a group of beams ends with its share of the texts$/, "1이면 early_stopping=True와 같음. early_stopping='never'와 함께 쓸 수 없고, 그룹은 제 몫의 글이 모이면 끝남"],
  [/^must divide num_beams; needs diversity_penalty; contradicts sampling$/, "num_beams의 약수여야 함. diversity_penalty가 있어야 하고, 샘플링과 함께 쓸 수 없음"],
  [/^contradicts sampling; a text is looked for as it is, and with a space before it$/, "샘플링과 함께 쓸 수 없음. 텍스트는 그대로와 앞에 공백을 붙인 꼴을 모두 찾음"],
  [/^contradicts greedy decoding; of samplers the draws are what they leave$/, "그리디와 함께 쓸 수 없음. 샘플러가 남긴 것 가운데서 뽑음"],
  [/^above 1 contradicts (.+)$/, "1보다 크면 함께 쓸 수 없는 설정: $1"],
  [/^a text has one form: (.+) or (\S+)$/, "글의 형식은 하나뿐이므로 이 가운데 하나만 쓸 수 있음: $1, $2"],
  [/^contradicts (.+)$/, "함께 쓸 수 없는 설정: $1"],
  [/^has no effect without (.+)$/, "다음이 없으면 효과 없음: $1"],
  [/^must not be above (.+)$/, "$1보다 클 수 없음"],
  [/^must not be below (.+)$/, "$1보다 작을 수 없음"],
  [/^as it is$/, "그대로"],
  [/^before temperature$/, "온도보다 먼저"],
  [/^after temperature$/, "온도 다음에"],
  [/^(\S+) if not set and not greedy$/, "정하지 않고 그리디가 아니면 $1"],
  [/^at least (\S+), unless 0$/, "0이 아니면 $1 이상"],
  [/^cuts at k$/, "k개에서 자름"],
  [/^keeps all that equal the k-th$/, "k번째와 같은 것을 모두 남김"],
  [/^looks back on prompt and output$/, "프롬프트와 출력을 살핌"],
  [/^looks back on the output$/, "출력을 살핌"],
  [/^looks back on the prompt$/, "프롬프트를 살핌"],
  [/^looks back on the last (\d+) tokens$/, "마지막 $1개 토큰을 살핌"],
];

/**
 * Clauses in Korean; one that has no form here stays as the server has it.
 *
 * @param {string} clauses parted by semicolons
 */
export function clausesInKorean(clauses) {
  const whole = inKorean(clauses);
  return whole ?? clauses.split("; ").map((one) => inKorean(one) ?? one).join("; ");
}

/** @param {string} clause */
function inKorean(clause) {
  const form = CLAUSES.find(([pattern]) => pattern.test(clause));
  return form === undefined ? null : clause.replace(form[0], form[1]);
}
