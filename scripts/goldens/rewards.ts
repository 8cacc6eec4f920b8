/** @module rewards/ and grpo/advantages.json: the paper's and PolicyShiftGuard's rewards, TRL's advantages. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AGGREGATIONS, REWARD_SCALES } from '../../src/training/grpo/loss-types.js';
import { advantagesOf } from '../../src/training/rewards/advantages.js';
import { paperAccuracy, paperFormat, solutionLabel } from '../../src/training/rewards/paper.js';
import {
  policyshiftPair,
  policyshiftSingle,
  policyshiftThink,
} from '../../src/training/rewards/policyshift.js';
import type { JudgedSample } from '../../src/training/rewards/reward.js';
import { compareFloats, guarded } from './compare.js';
import type { GoldenCheck, GoldenLine } from './types.js';

const paperSchema = z.array(
  z.object({ completion: z.string(), solution: z.string(), accuracy: z.number(), format: z.number() }),
);

const truth = z.object({ label: z.enum(['true', 'false']), accepted_category_ids: z.array(z.string()) });

const policyshiftSchema = z.object({
  single: z.array(
    z.object({
      solution: z.string(),
      ground_truth: truth,
      single: z.object({ score: z.number() }),
      think: z.object({ score: z.number() }),
    }),
  ),
  pairs: z.array(
    z.object({
      solutions: z.array(z.string()),
      ground_truths: z.array(z.string()),
      extra_infos: z.array(z.object({ boundary_group_id: z.string() })),
      expected: z.array(z.object({ score: z.number(), pair_reward: z.number() })),
    }),
  ),
});

const advantagesSchema = z.array(
  z.object({
    rewards: z.array(z.number()),
    num_generations: z.int(),
    group: z.array(z.number()),
    batch: z.array(z.number()),
    none: z.array(z.number()),
  }),
);

const read = <T>(schema: z.ZodType<T>, file: string): T =>
  schema.parse(JSON.parse(readFileSync(file, 'utf8')));

/** TRL computes in f32. */
const ADVANTAGE_TOLERANCE = 1e-5;

const sampleOf = (
  label: JudgedSample['label'],
  categories: readonly string[] = [],
  pair = '',
): JudgedSample => ({
  label,
  statements: [],
  decisive: [],
  categories,
  pair: pair === '' ? null : pair,
});

export const check: GoldenCheck = {
  name: 'rewards',
  async *run(dir) {
    const files: readonly (readonly [string, (file: string) => Iterable<GoldenLine>])[] = [
      ['rewards/paper.json', paperLines],
      ['rewards/policyshift.json', policyshiftLines],
      ['grpo/advantages.json', advantageLines],
    ];
    for (const [path, lines] of files) {
      const file = join(dir, path);
      if (existsSync(file)) yield* guarded({ path }, () => lines(file));
    }
  },
};

function* paperLines(file: string): Iterable<GoldenLine> {
  const rows = read(paperSchema, file);
  const inputs = rows.map(({ completion, solution }) => ({
    completion,
    sample: sampleOf(solutionLabel(solution)),
  }));
  const path = 'rewards/paper.json';
  const column = (name: 'accuracy' | 'format'): number[] => rows.map((row) => row[name]);
  yield compareFloats({ path, part: 'accuracy' }, inputs.map(paperAccuracy), column('accuracy'), 0);
  yield compareFloats({ path, part: 'format' }, inputs.map(paperFormat), column('format'), 0);
}

const labelOf = ({ label }: z.infer<typeof truth>): JudgedSample['label'] =>
  label === 'true' ? 'unsafe' : 'safe';

function* policyshiftLines(file: string): Iterable<GoldenLine> {
  const { single, pairs } = read(policyshiftSchema, file);
  const path = 'rewards/policyshift.json';
  const inputs = single.map(({ solution, ground_truth: gold }) => ({
    completion: solution,
    sample: sampleOf(labelOf(gold), gold.accepted_category_ids),
  }));
  const scores = (kind: 'single' | 'think'): number[] => single.map((row) => row[kind].score);
  yield compareFloats({ path, part: 'single' }, inputs.map(policyshiftSingle), scores('single'), 1e-12);
  yield compareFloats({ path, part: 'think' }, inputs.map(policyshiftThink), scores('think'), 1e-12);
  for (const [i, { solutions, ground_truths: golds, extra_infos: infos, expected }] of pairs.entries()) {
    const members = solutions.map((completion, k) => {
      const gold = truth.parse(JSON.parse(golds[k]));
      const sample = sampleOf(labelOf(gold), gold.accepted_category_ids, infos[k].boundary_group_id);
      return { prompt: '', completion, tokens: 1, truncated: false, sample };
    });
    const own = policyshiftPair(members).map((value) => value ?? 0);
    const gold = expected.map((row) => row.pair_reward);
    yield compareFloats({ path, part: `pair${i}` }, own, gold, 1e-12);
    const totals = members.map((member, k) => policyshiftSingle(member) + own[k]);
    yield compareFloats(
      { path, part: `pair${i}.score` },
      totals,
      expected.map(({ score }) => score),
      1e-12,
    );
  }
}

function* advantageLines(file: string): Iterable<GoldenLine> {
  const [sum] = AGGREGATIONS;
  for (const [i, golden] of read(advantagesSchema, file).entries()) {
    for (const scale of REWARD_SCALES) {
      const { advantages } = advantagesOf(
        { reward: golden.rewards },
        { reward: 1 },
        { numGenerations: golden.num_generations, scale, aggregation: sum },
      );
      const part = `${i}.${scale}`;
      yield compareFloats(
        { path: 'grpo/advantages.json', part },
        advantages,
        golden[scale],
        ADVANTAGE_TOLERANCE,
      );
    }
  }
}
