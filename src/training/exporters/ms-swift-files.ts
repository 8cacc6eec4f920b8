/** @module The files that ms-swift trains from. */
import type { GrpoConfig } from '../grpo/config.js';
import { jsonLines } from '../../util/json-lines.js';
import { promptTurns, withMarks } from './chat.js';
import type { ExportedFiles, GrpoExport, CheckpointFacts, SftExport } from './exported.js';
import { launchScript, nodesScript } from './launch.js';
import { pluginName } from './ms-swift.js';
import { completionsPerUpdate } from './rules.js';
import type { EngineSettings } from './settings.js';
import { msSwiftShim } from './shim.js';
import { yamlOf } from './yaml.js';

/** Where ms-swift's defaults are not what this program does. */
const FIXED: EngineSettings = {
  /** Which other families share it, so that ms-swift does not guess it for a folder. */
  model_type: 'qwen2_5_vl',
  template: 'qwen2_5_vl',
  dataset: 'train.jsonl',
  split_dataset_ratio: 0,
  /** The file has everything in its order. */
  dataset_shuffle: false,
  train_dataloader_shuffle: false,
  /** A row that cannot be used ends the run. */
  strict: true,
  optim: 'adamw_torch',
  /** Weights stay in 32 bits and are computed with in 16. */
  torch_dtype: 'float32',
  bf16: true,
  gradient_checkpointing: true,
  logging_steps: 1,
  report_to: 'none',
  save_strategy: 'steps',
  add_version: false,
};

/** ms-swift sizes pictures by itself, before the checkpoint's processor sees them. */
const environment = (checkpoint: CheckpointFacts | null): object =>
  checkpoint === null ? {} : { ENV: { MIN_PIXELS: checkpoint.minPixels, MAX_PIXELS: checkpoint.maxPixels } };

/** The picture's token that ms-swift takes for granted. */
const QWEN_IMAGE_TOKEN = 151_655;

/** ms-swift's template ends an answer with a line break, which here is not learned. */
function templatePlugin(checkpoint: CheckpointFacts | null): string {
  const { imageTokenId = QWEN_IMAGE_TOKEN } = checkpoint ?? {};
  const other = [
    'from swift.template.templates.qwen import Qwen2VLTemplate',
    '',
    `Qwen2VLTemplate.image_token_id = ${imageTokenId}`,
  ];
  return [
    'from swift.template import TEMPLATE_MAPPING',
    ...(imageTokenId === QWEN_IMAGE_TOKEN ? [''] : other),
    'TEMPLATE_MAPPING["qwen2_5_vl"].suffix = ["<|im_end|>"]',
    '',
  ].join('\n');
}

const GRPO_FIXED: EngineSettings = {
  rlhf_type: 'grpo',
  external_plugins: ['template.py', 'rewards.py'],
  log_completions: true,
};

const tuner = ({ lora }: Pick<GrpoConfig, 'lora'>): EngineSettings => ({
  tuner_type: lora === undefined ? 'full' : 'lora',
});

/** Where completions are sampled is part of how a run is started, not of what it is. */
const SAMPLER = '--use_vllm true --vllm_mode colocate';

/** \`swift\` starts torchrun by itself where these are set. */
const launch = (command: string): string =>
  `env NPROC_PER_NODE="$GPUS" NNODES="$NODES" NODE_RANK="$NODE_RANK" MASTER_ADDR="$MASTER_ADDR" MASTER_PORT="$MASTER_PORT" ` +
  `swift ${command} --per_device_train_batch_size "$MICRO_BATCH" --gradient_accumulation_steps "$ACCUMULATE" --deepspeed zero3`;

export function msSwiftGrpoFiles({
  config,
  settings,
  prompts,
  rewardsUrl,
  checkpoint,
}: GrpoExport): ExportedFiles {
  const names = Object.keys(config.rewards).map((reward) => [pluginName(reward), reward] as const);
  return {
    'train.jsonl': jsonLines(
      prompts.train.map(({ system, prompt, images, solution, sample }) => ({
        messages: promptTurns(system, withMarks(prompt, images)),
        images,
        solution: `<answer>${solution}</answer>`,
        sample,
      })),
    ),
    'config.yaml': yamlOf({
      ...environment(checkpoint),
      ...FIXED,
      ...GRPO_FIXED,
      ...tuner(config),
      ...settings,
    }),
    'template.py': templatePlugin(checkpoint),
    'rewards.py': msSwiftShim(rewardsUrl, names),
    'launch.sh': launchScript(
      { perUpdate: completionsPerUpdate(config), items: 'completions' },
      launch(`rlhf config.yaml ${SAMPLER}`),
    ),
    'launch-nodes.sh': nodesScript({ asks: true, ray: false }),
  };
}

export function msSwiftSftFiles({ config, settings, samples, checkpoint }: SftExport): ExportedFiles {
  return {
    'train.jsonl': jsonLines(
      samples.map(({ system, prompt, answer, images }) => ({
        messages: [...promptTurns(system, withMarks(prompt, images)), { role: 'assistant', content: answer }],
        images,
      })),
    ),
    'config.yaml': yamlOf({
      ...environment(checkpoint),
      ...FIXED,
      external_plugins: ['template.py'],
      ...tuner(config),
      ...settings,
    }),
    'template.py': templatePlugin(checkpoint),
    'launch.sh': launchScript({ perUpdate: config.batch_size, items: 'samples' }, launch('sft config.yaml')),
    'launch-nodes.sh': nodesScript({ asks: false, ray: false }),
  };
}
