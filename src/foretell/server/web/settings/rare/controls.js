/** Controls of settings that few set: fetched when one is to be seen. */

import { BiasList } from "./bias_list.js";
import { CodeField } from "./code_field.js";
import { DecayField } from "./decay_field.js";
import { DetectionField } from "./detection_field.js";
import { LayersField } from "./layers_field.js";
import { ScopeField } from "./scope_field.js";
import { SchemaField } from "./schema_field.js";
import { SequenceBiasList } from "./sequence_bias_list.js";
import { SequencesField } from "./sequences_field.js";
import { TextField } from "./text_field.js";
import { TextsField } from "./texts_field.js";
import { TokensField } from "./tokens_field.js";
import { WatermarkField } from "./watermark_field.js";
import { WordsField } from "./words_field.js";

/** By how a value is written. @type {Record<string, import("preact").FunctionComponent<any>>} */
export const RARE = {
  text: TextField,
  texts: TextsField,
  token_id: TokensField,
  token_ids: TokensField,
  id_sequences: SequencesField,
  token_biases: BiasList,
  sequence_biases: SequenceBiasList,
  words: WordsField,
  layers: LayersField,
  watermark: WatermarkField,
  scope: ScopeField,
  decay: DecayField,
  detection: DetectionField,
  schema: SchemaField,
  pattern: CodeField,
  grammar: CodeField,
};
