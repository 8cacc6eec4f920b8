/** @module A model card as the hub shows it: what a person must know before trusting these weights. */
import { stringify } from 'yaml';
import { accuracyOf } from '../grpo/confusion.js';
import type { HeldOutPoint } from '../runs/run-log.js';
import { formatValue } from '../runs/series.js';
import { flat } from '../runs/settings.js';
import { EMBEDDED_NAME } from '../../checkpoint/embedded.js';
import type { Lineage, Stage } from './lineage.js';
import type { Licence } from './licences.js';

export interface CardFacts {
  /** The repository's name, `org/name`. */
  readonly name: string;
  readonly kind: 'model' | 'adapter';
  readonly licence: Licence;
  readonly lineage: Lineage;
  /** Of the folder: the adapter's own where it is one. */
  readonly parameters: number;
  /** Markdown of a measurement of one's own. */
  readonly evaluation: string | null;
}

const METHODS: Readonly<Record<Stage['method'], string>> = {
  sft: 'Supervised fine-tuning',
  grpo: 'GRPO with verifiable rewards ([arXiv 2402.03300](https://arxiv.org/abs/2402.03300))',
};

/** What each source of data is. */
const DATA: Readonly<Record<string, string>> = {
  iconworld:
    'IconWorld: drawn scenes of icons under policies in plain language, labelled by executing their rules. Made by safeguard-vl from a seed; no photographs, no people, no scraped pictures.',
  jsonl: 'A data set of the trainer’s own, which is not part of this repository.',
};

const CITATION = `@inproceedings{piao2026policyadaptive,
  title     = {Towards Policy-Adaptive Image Guardrail: Benchmark and Method},
  author    = {Piao, Caiyong and Yan, Zhiyuan and Xu, Haoming and Zhao, Yunzhen and Lin, Kaiqing and Xu, Feiyang and Zhou, Shuigeng},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2026},
  note      = {arXiv:2603.01228}
}`;

/** README.md, its metadata in front (hub documentation, "Model Cards"). */
export function modelCard(facts: CardFacts): string {
  const { name, kind, parameters, lineage } = facts;
  const { base, stages } = lineage;
  const from = base.hub === null ? base.label : `[${base.hub}](https://huggingface.co/${base.hub})`;
  const commit = base.commit === null ? '' : ` at commit \`${base.commit}\``;
  return `---
${stringify(metadata(facts)).trimEnd()}
---

# ${name.split('/')[1]}

A policy-adaptive image guardrail: it reads a picture and a policy in plain language, and answers safe or unsafe with its
reasons. ${kind === 'adapter' ? `This is a LoRA adapter of ${parameters.toLocaleString('en-US')} parameters for ${from}${commit}.` : `${parameters.toLocaleString('en-US')} parameters${stages.length === 0 ? '' : `, trained from ${from}${commit}`}.`}

Made with safeguard-vl, which follows the method of [Towards Policy-Adaptive Image
Guardrail](https://arxiv.org/abs/2603.01228) (SafeGuard-VL, CVPR 2026). Not by the paper's authors.

## Use

\`\`\`sh
${usage(facts)}
\`\`\`

## Training

${training(stages)}

## Evaluation

${evaluation(facts)}

## Limits

- **Never the sole arbiter.** Models misread pictures and rules. A verdict is a reason to look, not a decision: people
  oversee what is published, removed or reported, and can overrule every verdict.
- What cannot be read is invalid, never safe.
- ${worldLimit(lineage)}
- Words of a policy or in a picture can mislead it, on purpose too.
- Not for illegal material: nothing here detects child sexual abuse material, which needs hash matching by those who may
  do it, and the law of your country.

## Licence

${licenceText(facts)}

## Citation

\`\`\`bibtex
${CITATION}
\`\`\`
`;
}

function metadata({ kind, licence, lineage: { base, stages } }: CardFacts): Record<string, unknown> {
  const methods = [...new Set(stages.map(({ method }) => method))];
  return {
    license: licence.id,
    ...(licence.name && { license_name: licence.name }),
    ...(licence.link && { license_link: licence.link }),
    ...(base.hub !== null && {
      base_model: base.hub,
      base_model_relation: kind === 'adapter' ? 'adapter' : 'finetune',
    }),
    library_name: kind === 'adapter' ? 'peft' : 'transformers',
    pipeline_tag: 'image-text-to-text',
    tags: [
      'safeguard-vl',
      'guardrail',
      'content-moderation',
      'image-safety',
      ...methods,
      ...(kind === 'adapter' ? ['lora'] : []),
      'arxiv:2603.01228',
    ],
  };
}

function usage({ name, kind, lineage: { base } }: CardFacts): string {
  if (kind === 'model') return `npx safeguard judge picture.jpg --policy policy.md --model ${name}`;
  const model =
    base.hub === null ? (base.label === EMBEDDED_NAME ? '' : ' --model BASE') : ` --model ${base.hub}`;
  return `npx safeguard judge picture.jpg --policy policy.md${model} --adapter ${name}`;
}

/** Of this machine or of the base, which is named above; they say nothing of what was learned. */
const SILENT = new Set(['model', 'output', 'threads', 'image_cache_mb', 'data.file']);
const SILENT_GROUPS = /^(?:checkpoint|keep_completions_every)\b/;

/** Text in a table's cell, as code: a path's folders, which are of this machine alone, left out. */
function cell(value: string): string {
  const last = /[/\\]/.test(value) ? (value.split(/[/\\]/).at(-1) ?? '') : value;
  return `\`${last.replaceAll('`', "'").replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')}\``;
}

function training(stages: readonly Stage[]): string {
  if (stages.length === 0) return 'How these weights were trained is not recorded in their folder.';
  return stages
    .map(({ method, config, step }, i) => {
      const data: unknown = config.data;
      const source = typeof data === 'object' && data !== null && 'source' in data ? String(data.source) : '';
      const rows = flat(config).filter(([name]) => !SILENT.has(name) && !SILENT_GROUPS.test(name));
      const at = step === null ? '' : `, ${step === 0 ? 'before its first step' : `after step ${step}`}`;
      return [
        `${stages.length > 1 ? `**Stage ${i + 1}.** ` : ''}${METHODS[method]}${at} of ${config.steps}.`,
        '',
        `Data: ${DATA[source] ?? 'not recorded.'}`,
        '',
        '| setting | value |',
        '|---|---|',
        ...rows.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`),
      ].join('\n');
    })
    .join('\n\n');
}

const ROWS: readonly { readonly name: string; readonly of: (point: HeldOutPoint) => number | null }[] = [
  { name: 'macro-F1', of: (point) => point.macro_f1 },
  { name: 'accuracy on safe pictures', of: ({ confusion }) => accuracyOf(confusion, 'safe') },
  { name: 'accuracy on unsafe pictures', of: ({ confusion }) => accuracyOf(confusion, 'unsafe') },
  {
    name: 'unreadable answers',
    of: ({ confusion: { safe, unsafe } }) =>
      (safe.invalid + unsafe.invalid) / Math.max(1, answersOf({ safe, unsafe })),
  },
  { name: 'mean reward', of: (point) => point.reward },
];

const answersOf = ({ safe, unsafe }: HeldOutPoint['confusion']): number =>
  [safe, unsafe].reduce((sum, row) => sum + row.safe + row.unsafe + row.invalid, 0);

function evaluation({ evaluation: own, lineage: { stages } }: CardFacts): string {
  const parts: string[] = [];
  const points = stages.at(-1)?.heldOut ?? [];
  const end = points.at(-1);
  if (end !== undefined) {
    const value = (number: number | null): string => (number === null ? '–' : formatValue(number));
    parts.push(
      [
        `Greedy answers to ${answersOf(end.confusion)} held-out prompts, which training never saw and by which these weights may have been chosen:`,
        '',
        `| measure |${points.map(({ step }) => (step === 0 ? ' start model |' : ` step ${step} |`)).join('')}`,
        `|---|${points.map(() => '---|').join('')}`,
        ...ROWS.map(
          ({ name, of }) => `| ${name} |${points.map((point) => ` ${value(of(point))} |`).join('')}`,
        ),
      ].join('\n'),
    );
  }
  if (own !== null) parts.push(own.trim());
  return parts.length === 0
    ? 'Not measured. Measure it on your own pictures and policies before anything depends on it.'
    : parts.join('\n\n');
}

function worldLimit({ base, stages }: Lineage): string {
  const onlyIcons =
    base.label === EMBEDDED_NAME ||
    (stages.length > 0 &&
      base.hub === null &&
      stages.every(({ config }) => JSON.stringify(config.data ?? '').includes('"iconworld"')));
  return onlyIcons
    ? 'It knows drawn scenes of icons only (IconWorld), and nothing of photographs.'
    : 'Pictures and policies unlike those of its training are judged worse; measure it on your own.';
}

function licenceText({ licence, lineage: { base } }: CardFacts): string {
  const called = licence.name ?? licence.id;
  const linked = licence.link === undefined ? called : `[${called}](${licence.link})`;
  const also =
    base.hub === null ? '' : ` The base model ${base.hub} has terms of its own, which go on to hold.`;
  return `${linked}.${also}`;
}
