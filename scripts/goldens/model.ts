/** @module checkpoints/X/cases: everything a forward pass shows, and what generation answers, against transformers. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Checkpoint } from '../../src/checkpoint/checkpoint.js';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import { LoadedModel, tokenRules } from '../../src/generation/model.js';
import { parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { Processor } from '../../src/models/qwen2_5_vl/processor.js';
import { getRopeIndex } from '../../src/models/qwen2_5_vl/rope-index.js';
import { NaiveModel } from '../../test/support/naive.js';
import { GoldenCase } from './case.js';
import { compareExact, compareFloats } from './compare.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const GENERATIONS = [
  { name: 'greedy', repetitionPenalty: undefined },
  { name: 'penalty105', repetitionPenalty: 1.05 },
  { name: 'penalty130', repetitionPenalty: 1.3 },
] as const;

export const check: GoldenCheck = {
  name: 'cases',
  async *run(dir) {
    const root = join(dir, 'checkpoints');
    if (!existsSync(root)) return;
    for (const name of readdirSync(root).sort()) {
      const cases = casesFolder(root, name);
      if (cases !== undefined) yield* checkpointLines(join(root, name), cases, `checkpoints/${name}`);
    }
  },
};

/** A folder's own cases; a resaved one answers those of the checkpoint whose weights it holds. */
function casesFolder(root: string, name: string): string | undefined {
  const own = join(root, name, 'cases');
  if (existsSync(own)) return own;
  const original = join(root, name.replace(/-resaved$/, ''), 'cases');
  return name.endsWith('-resaved') && existsSync(original) ? original : undefined;
}

async function* checkpointLines(folder: string, cases: string, path: string): AsyncIterable<GoldenLine> {
  const checkpoint = await Checkpoint.open(folder);
  const config = parseConfig(checkpoint.config);
  const naive = NaiveModel.of(config, checkpoint);
  const model = await LoadedModel.load(folder);
  const rules = tokenRules(checkpoint, config, await Processor.load(folder));
  try {
    for (const file of readdirSync(cases)
      .filter((entry) => entry.endsWith('.safetensors'))
      .sort()) {
      const golden = new GoldenCase(SafetensorsFile.open(join(cases, file)), config);
      const where = `${path}/cases/${basename(file)}`;
      yield* forwardLines(golden, naive, where);
      yield* generationLines(golden, { naive, model, rules }, where);
      golden.file.close();
    }
  } finally {
    await naive.dispose();
    await model.dispose();
    checkpoint.close();
  }
}

async function* forwardLines(golden: GoldenCase, naive: NaiveModel, path: string): AsyncIterable<GoldenLine> {
  const { config } = naive;
  const { batch } = golden;
  const { positionIds, ropeDeltas } = getRopeIndex({
    ...batch,
    grids: batch.images.map((image) => image.grid),
    config,
  });
  // Positions of padding are not defined.
  const defined = <T>(values: ArrayLike<T>): T[] =>
    Array.from(values).filter((_, i) => batch.attentionMask[i % batch.attentionMask.length] === 1n);
  yield compareExact(
    { path, part: 'position_ids' },
    defined(positionIds),
    defined(golden.ints('position_ids')),
  );
  yield compareExact(
    { path, part: 'rope_deltas' },
    ropeDeltas,
    Array.from(golden.ints('rope_deltas'), Number),
  );
  const full = await naive.forward(batch);
  if (golden.has('image_features')) {
    yield compareFloats(
      { path, part: 'image_features' },
      full.imageFeatures,
      golden.floats('image_features'),
    );
  }
  const [, positions, vocabulary] = golden.shape('logits');
  const perRow = batch.seq * vocabulary;
  const wanted = Array.from({ length: batch.batch }, (_, row) =>
    full.logits.subarray((row + 1) * perRow - positions * vocabulary, (row + 1) * perRow),
  );
  yield compareFloats({ path, part: 'logits' }, joined(wanted), golden.floats('logits'));
  if (golden.has('hidden_states')) {
    yield compareFloats(
      { path, part: 'hidden_states' },
      joined(full.hiddenStates),
      golden.floats('hidden_states'),
    );
  }
  if (golden.has('vision_hidden_states')) {
    yield compareFloats(
      { path, part: 'vision_hidden_states' },
      joined(full.visionStates),
      golden.floats('vision_hidden_states'),
    );
  }
}

interface Runners {
  readonly naive: NaiveModel;
  readonly model: LoadedModel;
  readonly rules: ReturnType<typeof tokenRules>;
}

async function* generationLines(
  golden: GoldenCase,
  { naive, model, rules }: Runners,
  path: string,
): AsyncIterable<GoldenLine> {
  for (const { name, repetitionPenalty } of GENERATIONS) {
    if (!golden.has(name)) continue;
    const expected = golden.generated(name, rules.stop);
    const settings = { maxNewTokens: golden.shape(name)[1], repetitionPenalty };
    const together = await model.generate(golden.rows, settings);
    yield compareExact({ path, part: name }, flat(together.map(({ tokens }) => tokens)), flat(expected));
    if (golden.rows.length > 1) {
      const single: number[][] = [];
      for (const row of golden.rows) single.push([...(await model.generate([row], settings))[0].tokens]);
      yield compareExact({ path, part: `${name}/single` }, flat(single), flat(expected));
    }
    const oracle: number[][] = [];
    for (const row of golden.rows) oracle.push(await naive.generate(row, { ...settings, ...rules }));
    yield compareExact({ path, part: `${name}/naive` }, flat(oracle), flat(expected));
    if (name === 'greedy' && golden.has('greedy_logprobs')) {
      const [, length] = golden.shape('greedy_logprobs');
      const golds = golden.floats('greedy_logprobs');
      const pairs = together.flatMap(({ logProbs }, row) =>
        logProbs.map((own, i) => [own, golds[row * length + i]]),
      );
      yield compareFloats(
        { path, part: 'greedy_logprobs' },
        pairs.map(([own]) => own),
        pairs.map(([, gold]) => gold),
      );
    }
  }
}

/** Rows with a mark between them, so that tokens cannot slip from one into another unnoticed. */
const flat = (rows: readonly (readonly number[])[]): number[] => rows.flatMap((row) => [...row, -1]);

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
