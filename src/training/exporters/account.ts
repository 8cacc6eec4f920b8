/** @module What an export says of itself: how to start it, and what became of every setting. */
import type { MappedSetting, Mapping } from './settings.js';

export interface Account {
  readonly title: string;
  /** The configuration's file. */
  readonly file: string;
  readonly mapping: Mapping;
  readonly rows: number;
  /** Null where nothing is rewarded. */
  readonly rewardsUrl: string | null;
}

const OPENINGS = { kept: '', lacks: '**lacks**: ', unwatched: '**lacks**: ' } as const;

/** The export's README.md. */
export function accountOf({ title, file, mapping, rows, rewardsUrl }: Account): string {
  const service =
    rewardsUrl === null
      ? []
      : [
          `Rewards come from \`safeguard rewards serve --config ${file}\`, which must run first and be reached at`,
          `\`SAFEGUARD_REWARDS_URL\` (${rewardsUrl} where it is not set).`,
          '',
        ];
  return [
    `# ${file} for ${title}`,
    '',
    `${rows} rows. Written by safeguard-vl; write it again rather than change it.`,
    '',
    ...service,
    '```sh',
    'bash launch.sh                                                            # this node, all its GPUs',
    'NODES=2 NODE_RANK=0 MASTER_ADDR=first-node bash launch-nodes.sh            # the same on every node, from 0',
    '```',
    '',
    'The folder must be at the same path on all nodes, and so must the model where it is a folder. What is given behind a',
    "script goes to the engine's own command line. Weights of this run are written to `run`.",
    '',
    '| setting | value | there |',
    '|---|---|---|',
    ...mapping.lines.map(row),
    '',
  ].join('\n');
}

function row({ path, value, translation }: MappedSetting): string {
  return `| \`${path}\` | \`${JSON.stringify(value)}\` | ${thereOf(translation)} |`;
}

function thereOf(translation: MappedSetting['translation']): string {
  if (translation.kind !== 'written') return OPENINGS[translation.kind] + translation.why;
  const settings = Object.entries(translation.settings).map(
    ([name, value]) => `\`${name}: ${JSON.stringify(value)}\``,
  );
  return settings.join(', ') + (translation.note === undefined ? '' : ` (${translation.note})`);
}
