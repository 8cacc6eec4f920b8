/**
 * Mutates the files of a small checkpoint and of an adapter and loads what comes of it: the outcome is a UserError or a
 * model, never another error, within a time limit and in bounded memory.
 *
 *     npx tsx test/fuzz/checkpoints.ts [COUNT] [SEED]
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Adapter } from '../../src/checkpoint/adapter.js';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { LoadedModel } from '../../src/generation/model.js';
import { checkBelongTogether } from '../../src/models/qwen2_5_vl/belongs.js';
import { checkTensors, parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { UserError } from '../../src/util/errors.js';
import { withinTime } from '../../src/util/time-limit.js';

const GOLDENS = new URL('../goldens/', import.meta.url).pathname;
/** No part of a checkpoint may take longer: reading a text and rendering have 5 s each, building a tokenizer more on a busy machine. */
const LIMIT_MS = 120_000;
/** Above this the process has kept what it should have dropped. */
const MAX_RSS_BYTES = 3e9;
/** A model is run after this many mutations once: sessions cost a hundred times what reading does. */
const RUN_EVERY = 500;

export interface FuzzReport {
  readonly mutations: number;
  /** How many mutated checkpoints still loaded, and how many were refused, by the beginning of the message. */
  readonly loaded: number;
  readonly refused: number;
  readonly longestMs: number;
  readonly maxRssBytes: number;
}

/** A stream of numbers in [0, 1), the same for one seed (mulberry32). */
function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values that stand where others are expected. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e9,
  1e308,
  2 ** 53,
  '',
  'x',
  'a'.repeat(5000),
  '(a+)+$',
  '\u0000',
  '../../x',
  [],
  {},
  [[[]]],
  { type: 'Sequence' },
  { Regex: '(' },
  [null],
  ['__proto__'],
  { constructor: 1 },
  '{% for i in range(10**9) %}x{% endfor %}',
];

/** A JSON text with one of its values or keys changed, removed, doubled or put elsewhere. */
function mutateJson(text: string, random: () => number): string {
  const below = (count: number): number => Math.floor(random() * count);
  const json: unknown = JSON.parse(text);
  let place: unknown = json;
  // Down to a random depth; what is not a container ends the way.
  for (let depth = below(6); depth > 0; depth--) {
    const inner: unknown[] = Object.values(Object(place)).filter(
      (value) => typeof value === 'object' && value !== null,
    );
    if (inner.length === 0) break;
    place = inner[below(inner.length)];
  }
  const holder = Object(place) as Record<string, unknown>;
  const keys = Object.keys(holder);
  const [key, other] = [keys[below(keys.length)] ?? 'x', keys[below(keys.length)] ?? 'y'];
  const changes: readonly (() => void)[] = [
    () => void (holder[key] = STRANGE[below(STRANGE.length)]),
    () => void delete holder[key],
    () => void (holder[other] = holder[key]),
    () => void (holder[`${key}x`] = holder[key]),
    () =>
      void (holder[key] =
        typeof holder[key] === 'number' ? holder[key] * (random() < 0.5 ? -1 : 1000) : [holder[key]]),
  ];
  changes[below(changes.length)]();
  return JSON.stringify(json);
}

/** Bytes with some of them changed, cut off, doubled or put in. */
function mutateBytes(bytes: Buffer, random: () => number): Buffer {
  const below = (count: number): number => Math.floor(random() * count);
  const at = below(bytes.length + 1);
  const to = Math.min(bytes.length, at + below(64));
  const noise = Buffer.from(Array.from({ length: 1 + below(8) }, () => below(256)));
  const changes: readonly (() => Buffer)[] = [
    () =>
      Buffer.concat([
        bytes.subarray(0, at),
        noise,
        bytes.subarray(Math.min(bytes.length, at + noise.length)),
      ]),
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
    () => Buffer.concat([bytes, noise]),
    () => Buffer.alloc(0),
  ];
  return changes[below(changes.length)]();
}

/** Pieces of templates, which are put into one at a random place. */
const TEMPLATE_PIECES = [
  '{% for i in range(10**9) %}',
  '{% endfor %}',
  '{% if messages %}',
  '{% endif %}',
  '{{ messages }}',
  '{% break %}',
  '{{',
  '%}',
  "{{ 'x' * 3 }}",
  '{% set x = messages ~ messages %}',
  '{{ messages | tojson(indent=9999) }}',
  '\r\n',
  '{#',
  '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  '{{ messages[0].content.replace("", "xxxxxxxxxx") }}',
  '<|image_pad|>',
  '{{ raise_exception("no") }}',
  '{{ none.x }}',
];

/** A safetensors file whose header is changed as JSON, with its length set right: what only looks like one is refused sooner. */
function mutateHeader(bytes: Buffer, random: () => number): Buffer {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = Buffer.from(mutateJson(bytes.toString('utf8', 8, 8 + length), random));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, bytes.subarray(8 + length)]);
}

function mutate(name: string, bytes: Buffer, random: () => number): Buffer {
  if (name.endsWith('.json') && random() < 0.8)
    return Buffer.from(mutateJson(bytes.toString('utf8'), random));
  if (name.endsWith('.safetensors') && random() < 0.4) return mutateHeader(bytes, random);
  if (name.endsWith('.safetensors') && random() < 0.3) {
    // An infinity or NaN somewhere among the weights.
    const changed = Buffer.from(bytes);
    changed.writeUInt32LE(
      random() < 0.5 ? 0x7f800000 : 0x7fc00000,
      changed.length - 4 * (1 + Math.floor(random() * 1000)),
    );
    return changed;
  }
  if (name.endsWith('.jinja') && random() < 0.7) {
    const text = bytes.toString('utf8');
    const at = Math.floor(random() * (text.length + 1));
    return Buffer.from(
      text.slice(0, at) + TEMPLATE_PIECES[Math.floor(random() * TEMPLATE_PIECES.length)] + text.slice(at),
    );
  }
  return mutateBytes(bytes, random);
}

/** Everything of a folder but sessions: config, headers, all weights, tokenizer, template, processor, one encoded chat. */
async function read(folder: string, adapterFolder: string): Promise<void> {
  const checkpoint = await Checkpoint.open(folder);
  let adapter: Adapter | undefined;
  try {
    const config = parseConfig(checkpoint.config);
    checkTensors(checkpoint, config);
    const processor = await Processor.load(folder);
    checkBelongTogether(processor, config, folder);
    adapter = Adapter.open(adapterFolder);
    const merged = adapter.mergedInto(checkpoint);
    const side = 56;
    const image = { width: side, height: side, data: new Uint8Array(side * side * 3) };
    withinTime(LIMIT_MS, 'a checkpoint', () => {
      for (const name of checkpoint.tensors.keys()) merged.read(name);
      const content = [
        { type: 'image', image } as const,
        { type: 'text', text: 'No <|im_end|> weapons.' } as const,
      ];
      const { inputIds } = processor.encodeChat([{ role: 'user', content }]);
      processor.tokenizer.decode(inputIds);
    });
  } finally {
    adapter?.close();
    checkpoint.close();
  }
}

/** @throws whatever else than a UserError a mutation led to, with its number, and where time or memory ran out. */
export async function fuzzCheckpoints(
  count: number,
  seed: number,
  { runs = true } = {},
): Promise<FuzzReport> {
  const scratch = mkdtempSync(join(tmpdir(), 'safeguard-fuzz-'));
  const random = stream(seed);
  const bases = ['tied', 'tied-resaved'].map((name) => join(scratch, name));
  const adapter = join(scratch, 'adapter');
  let [loaded, refused, longestMs, maxRssBytes] = [0, 0, 0, 0];
  try {
    for (const base of bases)
      cpSync(join(GOLDENS, 'checkpoints', base.slice(scratch.length)), base, { recursive: true });
    cpSync(join(GOLDENS, 'adapters', 'dora'), adapter, { recursive: true });
    const files = [...bases, adapter].map((folder) =>
      readdirSync(folder).flatMap((name) => {
        const path = join(folder, name);
        const belongs =
          /\.(?:json|jinja|safetensors)$/.test(name) &&
          !/^(?:merged|processor\.json|template\.json)/.test(name);
        return statSync(path).isFile() && belongs ? [{ name, path, bytes: readFileSync(path) }] : [];
      }),
    );
    for (let i = 0; i < count; i++) {
      const which = i % files.length;
      const base = bases[Math.min(which, bases.length - 1)];
      const { name, path, bytes } = files[which][Math.floor(random() * files[which].length)];
      const changed = mutate(name, bytes, random);
      writeFileSync(path, changed);
      const began = performance.now();
      try {
        await read(base, adapter);
        loaded += 1;
        if (runs && loaded % RUN_EVERY === 1) await (await LoadedModel.load(base, { adapter })).dispose();
      } catch (error) {
        if (!(error instanceof UserError)) {
          throw new Error(`mutation ${i} of seed ${seed}, in ${name}: ${String(error)}`, { cause: error });
        }
        refused += 1;
      } finally {
        writeFileSync(path, bytes);
      }
      const took = performance.now() - began;
      longestMs = Math.max(longestMs, took);
      maxRssBytes = Math.max(maxRssBytes, process.memoryUsage().rss);
      if (took > LIMIT_MS) throw new Error(`mutation ${i} of seed ${seed}, in ${name}, took ${took} ms`);
      if (maxRssBytes > MAX_RSS_BYTES)
        throw new Error(`mutation ${i} of seed ${seed}, in ${name}: ${maxRssBytes} bytes`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { mutations: count, loaded, refused, longestMs: Math.round(longestMs), maxRssBytes };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [count = '20000', seed = '1'] = process.argv.slice(2);
  const began = performance.now();
  const report = await fuzzCheckpoints(Number(count), Number(seed));
  console.log(JSON.stringify({ ...report, seconds: Math.round((performance.now() - began) / 1000) }));
}
