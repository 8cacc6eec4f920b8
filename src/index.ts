/**
 * @module What `safeguard-vl` offers to programs. Everything else is internal and may change without notice.
 *
 * Mistakes in inputs are thrown as {@link UserError}: one sentence with the remedy.
 */

// Judging: a model, a picture, a policy, a verdict.
export {
  type AskOptions,
  type BatchOptions,
  DEFAULT_MAX_NEW_TOKENS,
  Guard,
  type GuardOptions,
  type ImageSource,
  type Judged,
  type JudgeOptions,
  type Judgement,
  type LoadOptions,
  type Reply,
  type ServedModel,
  type Turn,
  verdictsOf,
} from './guard/guard.js';
export type { FastVerdict, GuardProfile, ReadAnswer, VerdictWords } from './guard/profile.js';
export { profileFrom, profileNamed, PROFILES } from './guard/profiles/index.js';
export { type Regime, REGIMES } from './guard/regimes.js';
export type { Label, Problem, SeenImage, UsedRegime, Verdict, ViolatedRule } from './guard/verdict.js';

// Engines: who computes the answers.
export type {
  Engine,
  EngineCapabilities,
  EngineChat,
  EngineCompletion,
  EngineDelta,
  EngineIdentity,
  EngineMessage,
  EnginePart,
  EngineRequest,
  EngineSettings,
  EngineToken,
  Pace,
  ScoredContinuation,
} from './engines/engine.js';
export { LocalEngine } from './engines/local.js';
export { OpenAIEngine, type OpenAIEngineOptions } from './engines/openai.js';

// Fetching images from addresses that strangers give.
export { type Fetched, fetchGuarded, type FetchOptions } from './net/fetch-guarded.js';

export { MAX_POLICY_BYTES, Policy, type PolicyIdentity, type PolicyOptions } from './policy/policy.js';

// Pictures.
export { type DecodedImage, type DecodeOptions, decodeImage, measureImage } from './images/decode.js';
export type { Size } from './images/frames.js';
export type { RgbImage } from './images/image.js';

// The model itself: prompts in, tokens out.
export {
  type GeneratedTokens,
  type GenerationSettings,
} from './generation/generator.js';
export { LoadedModel, type LoadOptions as ModelOptions } from './generation/model.js';
export type { SamplingSettings } from './generation/sampling.js';
export type { ContentPart, Message } from './models/qwen2_5_vl/chat.js';
export { parseConfig, type Qwen2_5_VLConfig } from './models/qwen2_5_vl/config.js';
export { type EncodedPrompt, Processor } from './models/qwen2_5_vl/processor.js';
export { Tokenizer } from './models/qwen2_5_vl/tokenizer.js';

// The model card's usage, with Python's names.
export {
  AutoProcessor,
  type BatchFeature,
  type CardTensor,
  type GenerateOptions as PretrainedGenerateOptions,
  type ModelInputs,
  type PretrainedOptions,
  process_vision_info,
  type ProcessorInputs,
  type ProcessorOptions,
  Qwen2_5_VLForConditionalGeneration,
  type Qwen2_5_VLProcessor,
  type VisionMessage,
} from './transformers/index.js';

// Models of the Hugging Face hub and its cache.
export {
  type CachedModel,
  cachedModels,
  type DownloadProgress,
  type HubSettings,
  hubSettings,
  resolveModel,
  type ResolveOptions,
} from './checkpoint/hub/index.js';

// Checkpoint folders.
export { EMBEDDED_MODEL, EMBEDDED_NAME } from './checkpoint/embedded.js';
export {
  Checkpoint,
  type CheckpointContents,
  type TensorInfo,
  writeCheckpoint,
} from './checkpoint/checkpoint.js';

// Training.
export { loadSftConfig, parseSftConfig, type SftConfig } from './training/config.js';
export type { SampleSource, TrainingSample } from './training/examples.js';
export { type SftHooks, type SftResult, type StepMetrics, trainSft } from './training/sft.js';
export { openSource } from './training/sources.js';
export { type GrpoConfig, loadGrpoConfig, parseGrpoConfig } from './training/grpo/config.js';
export { type GrpoHooks, type GrpoResult, trainGrpo } from './training/grpo/grpo.js';
export { type GrpoPrompt, openPrompts, type PromptSource } from './training/grpo/prompts.js';
export type { CompletionRecord, GrpoMetrics } from './training/grpo/records.js';
export type { RewardFunction, RewardInput, RewardSample } from './training/rewards/reward.js';

// Data sets for training: recaptions, and LlavaGuard's table of URLs.
export { llavaguard, type LlavaguardOptions, type LlavaguardReport } from './curation/llavaguard.js';
export { recaption, type RecaptionHooks, type RecaptionSummary } from './curation/recaption.js';
export {
  loadRecaptionConfig,
  parseRecaptionConfig,
  type RecaptionConfig,
} from './curation/recaption-config.js';
// Runs read and shown, and what they made shared.
export { pushModel } from './checkpoint/hub/index.js';
export { publicationOf } from './training/model-card/publication.js';
export { writeReport } from './training/report/report.js';
export { type Inspection, inspectRun } from './training/runs/inspection.js';
export { openRun, type RunLog } from './training/runs/run-log.js';

// IconWorld as files.
export {
  type ExportFormat,
  type ExportOptions,
  exportIconworld,
  type ExportSummary,
} from './iconworld/export.js';

export { UserError, type UserErrorCode, type UserErrorKind } from './util/errors.js';
