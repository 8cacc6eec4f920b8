/** @module The files that verl trains from. */
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { promptTurns, withMarks } from './chat.js';
import type { ExportedPrompt } from './data.js';
import type { ExportedFiles, GrpoExport } from './exported.js';
import { nodesScript, rayScript } from './launch.js';
import { completionsPerUpdate } from './rules.js';
import type { EngineSettings } from './settings.js';
import { verlShim } from './shim.js';
import { yamlOf } from './yaml.js';

/** Where verl's defaults are not what this program does. */
const FIXED: EngineSettings = {
  'data.train_files': 'train.parquet',
  'data.shuffle': false,
  'data.truncation': 'error',
  /** Tokens of the longest prompt, pictures and policy; longer ones end the run. */
  'data.max_prompt_length': 4096,
  'algorithm.adv_estimator': 'grpo',
  'algorithm.use_kl_in_reward': false,
  'actor_rollout_ref.rollout.name': 'vllm',
  'actor_rollout_ref.actor.strategy': 'fsdp',
  'actor_rollout_ref.actor.entropy_coeff': 0,
  'reward.custom_reward_function.path': 'rewards.py',
  'reward.custom_reward_function.name': 'compute_score',
  'trainer.total_epochs': 1,
  'trainer.logger': ['console'],
  'trainer.project_name': 'safeguard-vl',
  'trainer.experiment_name': 'grpo',
};

/** What differs with and without held-out prompts; verl wants a file in any case. */
const heldOutSettings = (some: boolean): EngineSettings =>
  some
    ? { 'data.val_files': 'held-out.parquet', 'trainer.val_before_train': true }
    : { 'data.val_files': 'train.parquet', 'trainer.val_before_train': false, 'trainer.test_freq': -1 };

const HYDRA = {
  /** verl's own defaults stand below everything here. */
  hydra: { searchpath: ['pkg://verl.trainer.config'] },
  defaults: ['ppo_trainer', '_self_'],
};

/** Ray's workers run in folders of their own, so paths are whole ones, which are known where it is started. */
const command = (
  heldOut: string,
): string => `exec python3 -m verl.trainer.main_ppo --config-path "$PWD" --config-name config \\
  data.train_files="$PWD/train.parquet" data.val_files="$PWD/${heldOut}" \\
  reward.custom_reward_function.path="$PWD/rewards.py" trainer.default_local_dir="$PWD/run" \\
  trainer.nnodes="$NODES" trainer.n_gpus_per_node="$GPUS" \\
  actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu="$MICRO_BATCH" \\
  actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu="$MICRO_BATCH" \\
  actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu="$MICRO_BATCH" \\
  actor_rollout_ref.rollout.tensor_model_parallel_size="\${TENSOR_PARALLEL:-1}" "$@"`;

export async function verlFiles({
  config,
  settings,
  prompts,
  rewardsUrl,
  picture,
}: GrpoExport): Promise<ExportedFiles> {
  const some = prompts.heldOut.length > 0;
  const all = { ...FIXED, ...settings, ...heldOutSettings(some) };
  const heldOut = some ? 'held-out.parquet' : 'train.parquet';
  return {
    'train.parquet': await parquetOf(prompts.train, 'train', picture),
    ...(some ? { 'held-out.parquet': await parquetOf(prompts.heldOut, 'held-out', picture) } : {}),
    'config.yaml': yamlOf({ ...HYDRA, ...nested(all) }),
    'rewards.py': verlShim(rewardsUrl),
    'launch.sh': rayScript({ perUpdate: completionsPerUpdate(config), items: 'completions' }, [
      command(heldOut),
    ]),
    'launch-nodes.sh': nodesScript({ asks: true, ray: true }),
  };
}

/** `{ 'a.b': 1 }` as `{ a: { b: 1 } }`. */
function nested(settings: EngineSettings): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(settings)) {
    const keys = path.split('.');
    let place = root;
    for (const key of keys.slice(0, -1)) {
      const child = place[key];
      const made: Record<string, unknown> = isTree(child) ? child : {};
      place[key] = made;
      place = made;
    }
    place[keys[keys.length - 1]] = value;
  }
  return root;
}

const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TEXT = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const;
const text = (name: string) => ({ name, ...TEXT });
const group = (name: string, children: number) =>
  ({ name, num_children: children, repetition_type: 'OPTIONAL' }) as const;
/** A list as parquet has it: a group around a repeated group around the element. */
const list = (name: string) =>
  [
    { ...group(name, 1), converted_type: 'LIST' },
    { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  ] as const;

/** Rows in verl's columns; a picture is the bytes of its file, which Ray's workers find wherever they run. */
async function parquetOf(
  rows: readonly ExportedPrompt[],
  split: string,
  picture: (path: string) => Uint8Array,
): Promise<Uint8Array> {
  const writer = new ByteWriter();
  await parquetWrite({
    writer,
    schema: [
      { name: 'schema', num_children: 6, repetition_type: 'REQUIRED' },
      text('data_source'),
      ...list('prompt'),
      group('element', 2),
      text('role'),
      text('content'),
      ...list('images'),
      group('element', 1),
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      text('ability'),
      group('reward_model', 2),
      text('style'),
      text('ground_truth'),
      group('extra_info', 2),
      text('split'),
      { name: 'index', type: 'INT64', repetition_type: 'OPTIONAL' },
    ],
    columnData: [
      { name: 'data_source', data: rows.map(() => 'safeguard-vl') },
      {
        name: 'prompt',
        data: rows.map(({ system, prompt, images }) => promptTurns(system, withMarks(prompt, images))),
      },
      { name: 'images', data: rows.map(({ images }) => images.map((path) => ({ bytes: picture(path) }))) },
      { name: 'ability', data: rows.map(() => 'guardrail') },
      { name: 'reward_model', data: rows.map(({ sample }) => ({ style: 'rule', ground_truth: sample })) },
      { name: 'extra_info', data: rows.map((_, i) => ({ split, index: BigInt(i) })) },
    ],
    // Pictures are compressed already, and a pixel's bytes as bounds would help nobody.
    statistics: false,
  });
  return writer.getBytes();
}
