import { freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { cachedModels, type CachedModel, hubSettings } from '../checkpoint/hub/index.js';
import { recognisedProfile } from '../guard/profiles/index.js';
import { formatBytes } from './download-view.js';
import { processTerminal, type Terminal } from './output.js';
import { printable } from './printable.js';

/** A published guardrail that runs here, or behind a server. */
interface KnownModel {
  readonly name: string;
  /** Parameters, in billions. */
  readonly billions: number;
  /** As its page on the hub tells; null where we have not read it. */
  readonly licence: string | null;
  readonly note: string;
}

const KNOWN: readonly KnownModel[] = [
  {
    name: 'tyodd/SafeGuard-VL-RL',
    billions: 8.3,
    licence: null,
    note: 'the paper’s model; its public weights may be incomplete',
  },
  {
    name: 'Qwen/Qwen2.5-VL-3B-Instruct',
    billions: 3.8,
    licence: 'Qwen Research (non-commercial)',
    note: 'the base model, small',
  },
  {
    name: 'Qwen/Qwen2.5-VL-7B-Instruct',
    billions: 8.3,
    licence: 'Apache-2.0',
    note: 'the base model of the paper',
  },
  {
    name: 'AIML-TUDA/QwenGuard-v1.2-3B',
    billions: 3.8,
    licence: null,
    note: 'gated: ask for access on its page',
  },
  {
    name: 'AIML-TUDA/QwenGuard-v1.2-7B',
    billions: 8.3,
    licence: null,
    note: 'gated: ask for access on its page',
  },
  {
    name: 'PolicyShiftGuard/PolicyShiftGuard-3B',
    billions: 3.8,
    licence: null,
    note: 'policy texts in, true or false out',
  },
  {
    name: 'PolicyShiftGuard/PolicyShiftGuard-7B',
    billions: 8.3,
    licence: null,
    note: 'policy texts in, true or false out',
  },
  { name: 'yueliu1999/GuardReasoner-VL-3B', billions: 3.8, licence: null, note: 'always reasons' },
  { name: 'yueliu1999/GuardReasoner-VL-7B', billions: 8.3, licence: null, note: 'always reasons' },
];

/** Weights are computed with in f32: four bytes each. */
const BYTES_PER_BILLION = 4e9;
/** Caches, activations and the runtime besides the weights. */
const OVERHEAD = 1.15;

export interface ModelsArguments {
  readonly json?: boolean;
}

interface Memory {
  readonly total: number;
  readonly free: number;
}

/** `safeguard models`: what is in the cache, what is known, and what fits. */
export function registerModels(program: Command): void {
  program
    .command('models')
    .description('list models of the cache and known families, with the memory that each needs here')
    .option('--json', 'one JSON object')
    .action((options: ModelsArguments) => {
      const { cache } = hubSettings();
      const memory = { total: totalmem(), free: freemem() };
      processTerminal.out(
        modelsText({ cache, cached: cachedModels(cache), memory }, options, processTerminal),
      );
    });
}

/** The whole output. */
export function modelsText(
  {
    cache,
    cached,
    memory,
  }: { readonly cache: string; readonly cached: readonly CachedModel[]; readonly memory: Memory },
  { json = false }: ModelsArguments,
  { paint }: Pick<Terminal, 'paint'>,
): string {
  const known = KNOWN.map((model) => {
    const needs = model.billions * BYTES_PER_BILLION * OVERHEAD;
    const { name: profile } = recognisedProfile([model.name]);
    const isCached = cached.some(({ name, complete }) => name === model.name && complete);
    return { ...model, profile, needs, fits: needs <= memory.total, cached: isCached };
  });
  if (json) return JSON.stringify({ cache, memory, cached, known });
  const cachedRows = cached.map(({ name, revision, size, complete }) => [
    name,
    revision,
    formatBytes(size),
    recognisedProfile([name]).name,
    complete ? '' : 'not whole: judging with it fetches the rest',
  ]);
  const knownRows = known.map(({ name, profile, needs, fits, licence, note }) => [
    name,
    profile,
    formatBytes(needs),
    fits ? 'fits' : 'does not fit',
    licence ?? 'see its page',
    note,
  ]);
  return [
    paint('bold', `In the cache ${printable(cache)}`),
    ...(cached.length === 0
      ? ['  nothing; --model org/name fetches one']
      : table([['model', 'revision', 'on disk', 'profile', ''], ...cachedRows], paint)),
    '',
    paint(
      'bold',
      `Known families (this machine has ${formatBytes(memory.total)} of memory, ${formatBytes(memory.free)} free)`,
    ),
    ...table([['model', 'profile', 'needs', 'here', 'licence', ''], ...knownRows], paint),
    '',
    'What does not fit can sit behind a server: --engine openai --base-url http://host:8000/v1 --model NAME.',
  ].join('\n');
}

function table(rows: readonly (readonly string[])[], paint: Terminal['paint']): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row, i) => {
    const line =
      `  ${row.map((cell, column) => printable(cell).padEnd(widths[column])).join('  ')}`.trimEnd();
    return i === 0 ? paint('dim', line) : line;
  });
}
