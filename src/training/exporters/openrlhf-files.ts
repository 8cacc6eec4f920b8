/** @module The files that OpenRLHF trains from. It has no configuration file: its settings are a list of arguments. */
import { jsonLines } from '../../util/json-lines.js';
import { promptTurns } from './chat.js';
import type { ExportedPrompt } from './data.js';
import type { ExportedFiles, GrpoExport } from './exported.js';
import { nodesScript, quoted, rayScript } from './launch.js';
import { completionsPerUpdate } from './rules.js';
import type { EngineSettings, SettingValue } from './settings.js';

/** Where OpenRLHF's defaults are not what this program does. */
const FIXED: EngineSettings = {
  'data.input_key': 'prompt',
  'data.label_key': 'sample',
  'data.image_key': 'images',
  'data.apply_chat_template': true,
  'train.num_episodes': 1,
  'train.colocate_all': true,
  'vllm.enable_sleep': true,
  'ds.enable_sleep': true,
  'vllm.gpu_memory_utilization': 0.5,
  'ds.zero_stage': 3,
  'actor.gradient_checkpointing_enable': true,
  'ckpt.save_hf': true,
  'ckpt.best_metric_key': 'none',
};

/** The longest prompt in tokens, pictures and policy. */
const PROMPT_TOKENS = 4096;

/** Held-out prompts are answered once, with the likeliest tokens. */
const GREEDY: EngineSettings = {
  'eval.temperature': 0,
  'eval.n_samples_per_prompt': 1,
};

/** Ray's workers run in folders of their own, so pictures need whole paths, which are known where it is started. */
const PLACE = `mkdir -p run
for file in train held-out; do
  [[ -f $file.jsonl ]] && sed "s|\\"images/|\\"$PWD/images/|g" "$file.jsonl" > "run/$file.jsonl"
done`;

export function openrlhfFiles({ config, settings, prompts, rewardsUrl }: GrpoExport): ExportedFiles {
  const some = prompts.heldOut.length > 0;
  const images = Math.max(...[...prompts.train, ...prompts.heldOut].map((row) => row.images.length));
  const { 'eval.steps': _, ...rest } = settings;
  const all: EngineSettings = {
    ...FIXED,
    'data.max_images_per_prompt': images,
    'data.max_len': PROMPT_TOKENS + config.max_completion_length,
    ...(some ? { ...settings, ...GREEDY } : rest),
  };
  return {
    'train.jsonl': jsonLines(prompts.train.map(rowOf)),
    ...(some ? { 'held-out.jsonl': jsonLines(prompts.heldOut.map(rowOf)) } : {}),
    'arguments.txt': argumentsOf(all)
      .map((word) => `${word}\n`)
      .join(''),
    'launch.sh': rayScript({ perUpdate: completionsPerUpdate(config), items: 'completions' }, [
      PLACE,
      'mapfile -t ARGUMENTS < arguments.txt',
      `REWARDS=\${SAFEGUARD_REWARDS_URL:-${quoted(rewardsUrl)}}/openrlhf`,
      `exec python3 -m openrlhf.cli.train_ppo_ray "\${ARGUMENTS[@]}" --reward.remote_url "$REWARDS" \\
  --data.prompt_dataset "$PWD/run/train.jsonl"${some ? ' --eval.dataset "$PWD/run/held-out.jsonl"' : ''} \\
  --actor.num_nodes "$NODES" --actor.num_gpus_per_node "$GPUS" --ref.num_nodes "$NODES" --ref.num_gpus_per_node "$GPUS" \\
  --vllm.num_engines "$((NODES * GPUS))" --train.micro_batch_size "$MICRO_BATCH" --rollout.micro_batch_size "$MICRO_BATCH" "$@"`,
    ]),
    'launch-nodes.sh': nodesScript({ asks: true, ray: true }),
  };
}

interface Part {
  readonly type: string;
  readonly text?: string;
}

const textPart = (text: string): Part => ({ type: 'text', text });

/** As content in parts, since OpenRLHF takes the spaces from the edges of plain text. */
const rowOf = ({ system, prompt, images, sample }: ExportedPrompt): object => ({
  prompt: promptTurns<readonly Part[]>(system === undefined ? undefined : [textPart(system)], [
    ...images.map(() => ({ type: 'image' })),
    textPart(prompt),
  ]),
  images,
  sample,
});

/** Words of a command line: a flag is there or not, a list is several words. */
function argumentsOf(settings: EngineSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (value === false || value === null) return [];
    return [`--${name}`, ...wordsOf(value)];
  });
}

function wordsOf(value: SettingValue): string[] {
  if (value === true) return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
