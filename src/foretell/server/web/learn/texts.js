/** What the view "Learn" says, and the lessons. */

import { words } from "../app/words.js";

export const texts = {
  en: {
    title: "Learn by looking",
    introduction:
      "Ten short lessons that follow the chapter on autoregressive generation. Each sets up the playground with one click and asks a question that you can answer by looking. What they say holds for the default model.",
    section: "Section {number} of the chapter",
    tried: "tried",
    try: "Try it",
    lesson: "Lesson {number} of {count}",
    look: "Look at",
    question: "Question",
    answer: "Answer",
    previous: "Previous",
    again: "Set up again",
    following: "Next",
    close: "Close",

    next_title: "What may come next",
    next_text:
      "A model gives every token of its vocabulary a probability of coming next. Greedy decoding takes the likeliest. Here it writes one token.",
    next_look: "the alternatives in the panel “Token”, and the entropy: it says how undecided the model is.",
    next_question: "The likeliest token is “ cat”. How sure is the model of it? And where is “ mat”?",
    next_answer:
      "“ cat” has 6.4%. The entropy is 5.68 nats, as much as if 290 tokens were equally likely. “ mat” has 0.4%, and is not among the first ten.",

    loop_title: "Greedy goes round in circles",
    loop_text:
      "Greedy takes the likeliest token every time. What it has written makes the same words likelier still, and so it writes them again.",
    loop_look: "the shades of the text, and the strip of entropy below it: with each round the model is surer.",
    loop_question: "How likely is “ cat” after “ happy to have a”, the first time, the second and the third?",
    loop_answer: "24%, 61%, 83%. Nothing in greedy leads out of such a circle; the next lessons show what does.",

    temperature_title: "Cold, as it is, hot",
    temperature_text:
      "Temperature divides the model's logits. Below 1 what is likely gets likelier; above 1 everything draws closer together. The three texts come from the same seed.",
    temperature_look: "the texts, and the mean log-probability of each.",
    temperature_question: "Which text is greedy's, word for word? Which is no English any more?",
    temperature_answer:
      "At T = 0.1 it is greedy's text. At T = 2 the mean log-probability is −11.9: on average the model gave what was drawn one chance in a hundred thousand.",

    top_k_title: "Top-k: always so many",
    top_k_text:
      "Top-k keeps the k likeliest tokens and cuts all others, whether the model is sure or not. Here k is 10. Step from token to token with ← and →, or with ‹ and › in the panel.",
    top_k_look: "the row “top_k” of the panel: after “kept” stands how much the ten held together before the others were cut.",
    top_k_question: "For which token were ten far too few, and where would one have been enough?",
    top_k_answer:
      "For the first “ context” the ten held 25% of the mass: three chances in four were cut off. After “ importance” a single token, “ of”, had nearly all of it.",

    top_p_title: "Top-p: as many as it takes",
    top_p_text:
      "Top-p keeps the fewest tokens that together hold the share p, here 90%. Where the model is sure that is few, where it is not it is many. Prompt and seed are those of the lesson before.",
    top_p_look: "the row “top_p” of the panel, from token to token: how many tokens are “left”.",
    top_p_question: "How many were left for “ Washington” after “ George”, and how many for “On”?",
    top_p_answer: "One for “ Washington”. For “On”, with which a new paragraph begins, 213.",

    draw_title: "A number is drawn",
    draw_text:
      "Each setting is a stage: temperature, then top-k, then top-p. The tokens that are left lie side by side on a line from 0 to 1, each as wide as it is likely, and a number is drawn.",
    draw_look: "the stages in the panel from top to bottom, and the line: the piece of “ open” is filled, and the mark is the number.",
    draw_question: "“ open” was the model's ninth choice. How wide is its piece of the line, and where did the number fall?",
    draw_answer: "3.4% of the line, from 0.0526 to 0.0863; the number was 0.0616. The model itself had given it 1.7%.",

    beams_title: "Beams look further than greedy",
    beams_text:
      "Greedy takes the best token now. Beam search keeps the best few texts, here 2, and compares the sums of their log-probabilities at every step.",
    beams_look: "the tree: what is kept at each step, and what falls.",
    beams_question: "“ cat” leads after one token. What becomes of it?",
    beams_answer:
      "Its best continuation makes a sum of −4.31. Both of “ moon” are better, with −3.82 and −4.20, so “ cat” is gone a step later.",

    penalties_title: "Penalties against repetition",
    penalties_text:
      "Penalties lower tokens that have come before. The repetition penalty divides their logits; the frequency penalty takes off more the more often they came; the presence penalty takes off the same once they came.",
    penalties_look: "the texts, and how many of their tokens are different.",
    penalties_question: "Which text repeats itself least? How many different tokens does greedy have?",
    penalties_answer:
      "With a repetition penalty of 1.2, 36 of 40 tokens are different; with the presence penalty 29, with the frequency penalty 26. Greedy has 13.",

    stop_title: "Where a text ends",
    stop_text:
      "A stop string ends the text before it begins, and is no part of it. Here “###” and an empty line do. The prompt has an empty line in it, too: that does not count.",
    stop_look: "the end of the text, and the reason that is given for it.",
    stop_question: "How many days did it write, and what ended it?",
    stop_answer: "Six, from Tuesday to Sunday. Then came an empty line. The limit of 60 tokens was not reached.",

    stream_title: "Tokens are not characters",
    stream_text:
      "A token is some bytes, and a character may take several. A stream shows a character once it is whole; the tokens that share one stand in one box.",
    stream_look: "the text: point at an emoji, and it is one box. The panel has the bytes of a token; → goes to the next one.",
    stream_question: "How many tokens does one emoji take?",
    stream_answer: "Three: fifteen tokens are five emoji. Decoded one by one, each token would be “�”.",
  },
  ko: {
    title: "보면서 배우기",
    introduction:
      "자기회귀 생성을 다루는 교재의 순서를 따라가는 짧은 수업 열 개입니다. 한 번 누르면 플레이그라운드가 준비되고, 들여다보면 답할 수 있는 질문이 하나씩 있습니다. 설명은 기본 모델을 기준으로 합니다.",
    section: "교재 {number}절",
    tried: "해 봄",
    try: "해 보기",
    lesson: "수업 {number} / {count}",
    look: "살펴볼 것",
    question: "질문",
    answer: "답",
    previous: "이전",
    again: "다시 준비",
    following: "다음",
    close: "닫기",

    next_title: "다음에 올 수 있는 토큰",
    next_text:
      "모델은 어휘의 모든 토큰에 다음에 올 확률을 매깁니다. 그리디 디코딩은 그중 가장 확률이 높은 토큰을 고릅니다. 여기서는 토큰을 하나만 씁니다.",
    next_look: "“토큰” 패널의 후보들과 엔트로피. 엔트로피는 모델이 얼마나 망설이는지를 나타냅니다.",
    next_question: "확률이 가장 높은 토큰은 “ cat”입니다. 모델은 얼마나 확신합니까? “ mat”은 어디에 있습니까?",
    next_answer:
      "“ cat”의 확률은 6.4%입니다. 엔트로피는 5.68 nat로, 토큰 290개의 확률이 똑같을 때와 같습니다. “ mat”은 0.4%이고 열 번째 안에 들지 못합니다.",

    loop_title: "제자리를 도는 그리디",
    loop_text:
      "그리디는 매번 확률이 가장 높은 토큰을 고릅니다. 이미 쓴 말은 다시 나올 확률이 더 높아지므로 같은 말을 되풀이합니다.",
    loop_look: "글의 음영과 그 아래 엔트로피 띠. 한 바퀴 돌 때마다 모델은 더 확신합니다.",
    loop_question: "“ happy to have a” 다음에 “ cat”이 올 확률은 첫 번째, 두 번째, 세 번째에 각각 얼마입니까?",
    loop_answer: "24%, 61%, 83%입니다. 그리디만으로는 이 고리에서 빠져나올 수 없습니다. 빠져나오는 방법은 다음 수업들에 나옵니다.",

    temperature_title: "차갑게, 그대로, 뜨겁게",
    temperature_text:
      "온도는 모델의 로짓을 나누는 수입니다. 1보다 낮으면 확률이 높은 토큰이 더 높아지고, 1보다 높으면 서로 비슷해집니다. 세 글은 같은 시드에서 나왔습니다.",
    temperature_look: "세 글과 각각의 평균 로그 확률.",
    temperature_question: "그리디와 한 글자도 다르지 않은 글은 어느 것입니까? 더는 영어라고 할 수 없는 글은 어느 것입니까?",
    temperature_answer:
      "T = 0.1의 글이 그리디와 같습니다. T = 2의 평균 로그 확률은 −11.9입니다. 뽑힌 토큰에 모델이 준 확률이 평균 10만분의 1쯤이라는 뜻입니다.",

    top_k_title: "top-k: 언제나 같은 개수",
    top_k_text:
      "top-k는 모델이 확신하든 망설이든 확률이 높은 k개만 남기고 나머지를 잘라 냅니다. 여기서 k는 10입니다. ← → 키나 패널의 ‹ ›로 토큰을 하나씩 옮겨 다녀 보십시오.",
    top_k_look: "패널의 “top_k” 줄. “유지” 앞의 값이 나머지를 자르기 전에 열 개가 차지하던 확률의 합입니다.",
    top_k_question: "열 개로는 턱없이 모자란 토큰은 어느 것이고, 하나로도 충분한 곳은 어디입니까?",
    top_k_answer:
      "처음 나오는 “ context”에서는 열 개를 합쳐도 25%였고, 나머지 75%가 잘려 나갔습니다. “ importance” 다음에는 “ of” 하나가 거의 전부를 차지합니다.",

    top_p_title: "top-p: 필요한 만큼만",
    top_p_text:
      "top-p는 합이 p(여기서는 90%)가 되는 가장 적은 수의 토큰만 남깁니다. 모델이 확신하면 적게, 망설이면 많이 남습니다. 프롬프트와 시드는 앞 수업과 같습니다.",
    top_p_look: "패널의 “top_p” 줄에 “남음”으로 적힌 토큰의 개수가 토큰마다 어떻게 달라지는지.",
    top_p_question: "“ George” 다음의 “ Washington” 자리에는 후보가 몇 개 남았고, “On” 자리에는 몇 개 남았습니까?",
    top_p_answer: "“ Washington” 자리에는 하나, 새 문단이 시작되는 “On” 자리에는 213개가 남았습니다.",

    draw_title: "수를 하나 뽑기",
    draw_text:
      "설정 하나하나가 단계입니다. 온도, top-k, top-p의 순서입니다. 남은 토큰을 확률만큼의 너비로 0부터 1까지 한 줄로 늘어놓고 수를 하나 뽑습니다.",
    draw_look: "패널의 단계를 위에서 아래로, 그리고 선. 칠해진 부분이 “ open”의 구간이고, 표시가 뽑힌 수입니다.",
    draw_question: "“ open”은 모델의 아홉 번째 선택이었습니다. 선에서 차지하는 너비는 얼마이고, 뽑힌 수는 어디에 있습니까?",
    draw_answer: "선의 3.4%로 0.0526부터 0.0863까지이며, 뽑힌 수는 0.0616입니다. 모델이 처음 준 확률은 1.7%였습니다.",

    beams_title: "그리디보다 멀리 보는 빔",
    beams_text:
      "그리디는 지금 가장 좋은 토큰을 고릅니다. 빔 서치는 가장 좋은 글 몇 개(여기서는 2개)를 남겨 두고, 단계마다 로그 확률의 합을 비교합니다.",
    beams_look: "단계마다 무엇이 남고 무엇이 탈락하는지 보여 주는 나무.",
    beams_question: "첫 토큰에서는 “ cat”이 앞섭니다. 그다음에는 어떻게 됩니까?",
    beams_answer:
      "“ cat”의 가장 좋은 후속은 합이 −4.31입니다. “ moon”의 두 후속은 −3.82와 −4.20으로 더 좋으므로 “ cat”은 바로 다음 단계에서 사라집니다.",

    penalties_title: "반복을 막는 페널티",
    penalties_text:
      "페널티는 앞에 나온 토큰을 낮춥니다. repetition penalty는 로짓을 나누고, frequency penalty는 많이 나왔을수록 더 빼고, presence penalty는 한 번이라도 나왔으면 똑같이 뺍니다.",
    penalties_look: "네 글과, 서로 다른 토큰의 개수.",
    penalties_question: "가장 덜 되풀이하는 글은 어느 것입니까? 그리디에는 서로 다른 토큰이 몇 개입니까?",
    penalties_answer:
      "repetition penalty 1.2에서는 토큰 40개 중 36개가 서로 다릅니다. presence penalty는 29개, frequency penalty는 26개이고 그리디는 13개입니다.",

    stop_title: "글이 끝나는 곳",
    stop_text:
      "중단 문자열이 나오면 글은 그 앞에서 끝나고, 중단 문자열은 글에 들어가지 않습니다. 여기서는 “###”과 빈 줄입니다. 프롬프트에도 빈 줄이 있지만 그것은 세지 않습니다.",
    stop_look: "글의 끝과, 끝난 이유.",
    stop_question: "며칠치 일기를 썼고, 무엇 때문에 끝났습니까?",
    stop_answer: "화요일부터 일요일까지 엿새입니다. 그다음에 빈 줄이 나왔습니다. 60토큰 제한에는 닿지 않았습니다.",

    stream_title: "토큰은 글자가 아니다",
    stream_text:
      "토큰은 바이트 몇 개이고, 글자 하나가 토큰 여러 개일 수 있습니다. 스트림은 글자가 온전해진 뒤에야 보여 줍니다. 글자를 나누어 가진 토큰들은 한 상자에 들어 있습니다.",
    stream_look: "글에서 이모지를 가리키면 상자 하나입니다. 패널에는 토큰의 바이트가 있고, → 키로 다음 토큰으로 넘어갑니다.",
    stream_question: "이모지 하나는 토큰 몇 개입니까?",
    stream_answer: "세 개입니다. 토큰 열다섯 개가 이모지 다섯 개가 됩니다. 토큰을 하나씩 디코딩하면 모두 “�”가 됩니다.",
  },
};

export const t = words(texts);
