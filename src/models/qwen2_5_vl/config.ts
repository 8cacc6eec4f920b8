/** @module config.json of a Qwen2.5-VL of any size, in the hub's flat layout and in transformers 5's nested one. */
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../checkpoint/json.js';
import { isTied } from '../../checkpoint/tied.js';
import { UserError } from '../../util/errors.js';
import type { Qwen2_5_VLConfig } from './config-types.js';

export type { Qwen2_5_VLConfig } from './config-types.js';
export { checkTensors, expectedTensors } from './expected-tensors.js';

const MODEL_TYPE = 'qwen2_5_vl';
const ARCHITECTURE = 'Qwen2_5_VLForConditionalGeneration';

/** Bounds that no real model comes near; a hostile config must not make loops or allocations without end. */
const MAX_LAYERS = 1024;
const MAX_SIZE = 2 ** 24;

const layers = z.int().min(1).max(MAX_LAYERS);
const size = z.int().min(1).max(MAX_SIZE);
const positive = z.number().positive();
const tokenId = z.int().min(0).max(MAX_SIZE);
const optionalTokenId = tokenId.nullish().transform((id) => id ?? undefined);

const ropeFields = z.object({
  mrope_section: z.tuple([z.int().min(0), z.int().min(0), z.int().min(0)]),
  // transformers writes `type: mrope` and normalizes it to `rope_type: default`.
  rope_type: z.enum(['default', 'mrope']).optional(),
  type: z.enum(['default', 'mrope']).optional(),
  rope_theta: positive.optional(),
});

/** Defaults are transformers' (models/qwen2_5_vl/configuration_qwen2_5_vl.py); sizes have none here on purpose. */
const textFields = z.object({
  hidden_size: size,
  num_hidden_layers: layers,
  num_attention_heads: size,
  num_key_value_heads: size,
  head_dim: size.nullish(),
  intermediate_size: size,
  vocab_size: size,
  max_position_embeddings: size.default(32768),
  rms_norm_eps: positive.default(1e-6),
  rope_theta: positive.default(1e6),
  hidden_act: z.literal('silu').default('silu'),
  initializer_range: positive.default(0.02),
  use_sliding_window: z.literal(false).default(false),
  bos_token_id: optionalTokenId,
  eos_token_id: z
    .union([tokenId, z.array(tokenId)])
    .nullish()
    .transform((id) => id ?? undefined),
  pad_token_id: optionalTokenId,
});

const visionFields = z.object({
  depth: layers,
  hidden_size: size,
  num_heads: size,
  intermediate_size: size,
  out_hidden_size: size,
  in_channels: size.default(3),
  patch_size: size.default(14),
  temporal_patch_size: size.default(2),
  spatial_merge_size: size.default(2),
  window_size: size.default(112),
  tokens_per_second: positive.default(4),
  fullatt_block_indexes: z.array(z.int().min(0)).default([7, 15, 23, 31]),
  hidden_act: z.literal('silu').default('silu'),
});

const tieField = z.object({ tie_word_embeddings: z.boolean().optional() });

const modelFields = z.object({
  image_token_id: tokenId,
  video_token_id: optionalTokenId,
  vision_start_token_id: optionalTokenId,
  vision_end_token_id: optionalTokenId,
});

const REMEDY = 'Take config.json from the model’s page again, or correct it.';

function refuse(problem: string): never {
  throw new UserError(`config.json: ${problem}. ${REMEDY}`);
}

/** Python writes None where a setting is not given, so a null is as good as absent. */
const withoutNulls = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));

/** Checks one group of fields; `within` is where they stand, for the message. */
function parseFields<T>(schema: z.ZodType<T>, fields: JsonObject, within: string): T {
  const result = schema.safeParse(withoutNulls(fields));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const [field] = issue.path;
  const value = fields[String(field)];
  refuse(
    value === undefined || value === null
      ? `${within}"${issue.path.join('.')}" is missing`
      : `${within}"${issue.path.join('.')}" is ${JSON.stringify(value)}: ${issue.message}`,
  );
}

/**
 * Reads the content of a config.json. Throws a {@link UserError} that names what is supported for another architecture,
 * and the field for a missing or impossible value.
 */
export function parseConfig(json: unknown): Qwen2_5_VLConfig {
  if (!isJsonObject(json)) refuse('it must be a JSON object');
  refuseOthers(json);
  const nested = json.text_config !== undefined && json.text_config !== null;
  const textJson = nested ? json.text_config : json;
  if (!isJsonObject(textJson)) refuse('"text_config" must be an object');
  if (!isJsonObject(json.vision_config)) refuse('"vision_config" is missing or no object');
  const textPath = nested ? 'text_config ' : '';

  const text = parseFields(textFields, textJson, textPath);
  const ropeJson = textJson.rope_parameters ?? textJson.rope_scaling;
  if (!isJsonObject(ropeJson))
    refuse(`${textPath}"rope_scaling" (or "rope_parameters") is missing or no object`);
  const rope = parseFields(ropeFields, ropeJson, `${textPath}rope_scaling `);
  const vision = parseFields(visionFields, json.vision_config, 'vision_config ');
  for (const [fields, within] of [
    [json, ''],
    [textJson, textPath],
  ] as const) {
    parseFields(tieField, fields, within);
  }
  const model = parseFields(modelFields, json, '');

  const config: Qwen2_5_VLConfig = {
    text: {
      hiddenSize: text.hidden_size,
      numHiddenLayers: text.num_hidden_layers,
      numAttentionHeads: text.num_attention_heads,
      numKeyValueHeads: text.num_key_value_heads,
      headDim: text.hidden_size / text.num_attention_heads,
      intermediateSize: text.intermediate_size,
      vocabSize: text.vocab_size,
      rmsNormEps: text.rms_norm_eps,
      ropeTheta: rope.rope_theta ?? text.rope_theta,
      mropeSection: rope.mrope_section,
      maxPositionEmbeddings: text.max_position_embeddings,
    },
    vision: {
      depth: vision.depth,
      hiddenSize: vision.hidden_size,
      numHeads: vision.num_heads,
      headDim: vision.hidden_size / vision.num_heads,
      intermediateSize: vision.intermediate_size,
      outHiddenSize: vision.out_hidden_size,
      inChannels: vision.in_channels,
      patchSize: vision.patch_size,
      temporalPatchSize: vision.temporal_patch_size,
      spatialMergeSize: vision.spatial_merge_size,
      tokensPerSecond: vision.tokens_per_second,
      windowSize: vision.window_size,
      fullattBlockIndexes: vision.fullatt_block_indexes,
    },
    tieWordEmbeddings: isTied(json),
    initializerRange: text.initializer_range,
    imageTokenId: model.image_token_id,
    videoTokenId: model.video_token_id,
    visionStartTokenId: model.vision_start_token_id,
    visionEndTokenId: model.vision_end_token_id,
    bosTokenId: text.bos_token_id,
    eosTokenId: text.eos_token_id,
    padTokenId: text.pad_token_id,
  };
  refuseImpossible(config, text.head_dim ?? undefined);
  return config;
}

/** Other architectures, and weights that are stored in a way that is not read. */
function refuseOthers(json: JsonObject): void {
  const { model_type: type, architectures } = json;
  const supported = `only ${ARCHITECTURE} (model_type "${MODEL_TYPE}") is supported: choose a Qwen2.5-VL checkpoint`;
  if (type !== MODEL_TYPE) {
    throw new UserError(`config.json: model_type ${JSON.stringify(type) ?? 'is missing'}; ${supported}.`);
  }
  if (architectures === undefined || architectures === null) return;
  if (!Array.isArray(architectures) || !architectures.includes(ARCHITECTURE)) {
    throw new UserError(`config.json: architectures ${JSON.stringify(architectures)}; ${supported}.`);
  }
  if (json.quantization_config !== undefined && json.quantization_config !== null) {
    throw new UserError(
      'config.json: the weights are quantized, which is not read: choose the unquantized checkpoint.',
    );
  }
}

/** Fields that name tokens: an id beyond the embedding's rows would be looked up outside of it. */
const TOKEN_FIELDS = [
  ['image_token_id', 'imageTokenId'],
  ['video_token_id', 'videoTokenId'],
  ['vision_start_token_id', 'visionStartTokenId'],
  ['vision_end_token_id', 'visionEndTokenId'],
  ['bos_token_id', 'bosTokenId'],
  ['eos_token_id', 'eosTokenId'],
  ['pad_token_id', 'padTokenId'],
] as const satisfies readonly (readonly [string, keyof Qwen2_5_VLConfig])[];

/** What must hold between the fields; each row is a sentence for when it does not. */
function refuseImpossible({ text, vision, ...model }: Qwen2_5_VLConfig, headDim: number | undefined): void {
  const pixelsPerToken = vision.patchSize * vision.spatialMergeSize;
  const sections = text.mropeSection.reduce((sum, section) => sum + section, 0);
  const rules: readonly (readonly [holds: boolean, otherwise: string])[] = [
    [
      Number.isInteger(text.headDim),
      `hidden_size ${text.hiddenSize} is no multiple of num_attention_heads ${text.numAttentionHeads}`,
    ],
    [
      headDim === undefined || headDim === text.headDim,
      `head_dim ${headDim} is not hidden_size / num_attention_heads = ${text.headDim}`,
    ],
    [text.headDim % 2 === 0, `the head size ${text.headDim} is odd, but rotary embeddings turn pairs`],
    [
      text.numAttentionHeads % text.numKeyValueHeads === 0,
      `num_attention_heads ${text.numAttentionHeads} is no multiple of num_key_value_heads ${text.numKeyValueHeads}`,
    ],
    [
      sections === text.headDim / 2,
      `mrope_section [${text.mropeSection.join(', ')}] adds up to ${sections}, not to half the head size, ${text.headDim / 2}`,
    ],
    // Rows and columns share a head's pairs of values, half each.
    [
      vision.headDim % 4 === 0,
      `vision_config: hidden_size ${vision.hiddenSize} / num_heads ${vision.numHeads} is no multiple of 4`,
    ],
    [
      vision.outHiddenSize === text.hiddenSize,
      `vision_config out_hidden_size ${vision.outHiddenSize} is not the text model's hidden_size ${text.hiddenSize}`,
    ],
    [
      vision.windowSize % pixelsPerToken === 0,
      `vision_config window_size ${vision.windowSize} is no multiple of patch_size × spatial_merge_size = ${pixelsPerToken}`,
    ],
    [
      vision.fullattBlockIndexes.every((block) => block < vision.depth),
      `vision_config fullatt_block_indexes [${vision.fullattBlockIndexes.join(', ')}] name blocks beyond the depth ${vision.depth}`,
    ],
    ...TOKEN_FIELDS.map(([field, key]): readonly [boolean, string] => {
      const ids = [model[key] ?? []].flat();
      const beyond = ids.find((id) => id >= text.vocabSize);
      return [beyond === undefined, `${field} ${beyond} is not below vocab_size ${text.vocabSize}`];
    }),
  ];
  for (const [holds, otherwise] of rules) if (!holds) refuse(otherwise);
}
