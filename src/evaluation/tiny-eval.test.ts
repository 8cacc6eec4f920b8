import { beforeAll, describe, expect, it } from 'vitest';
import { loadIcons } from '../iconworld/raster.js';
import type { Answerer } from './answerer.js';
import { evaluateTiny, metricsJson, type Outcome, TINY_METRICS } from './tiny-eval.js';
import { drawPart, type EvalItem, PARTS, partSizes } from './tiny-items.js';
import { tinyReport } from './tiny-report.js';

const seed = 'unit';
const limit = 40;

/** Answers the parts one after another, each with what is said of its gold items. */
function scripted(say: (item: EvalItem, index: number) => string): Answerer {
  let part = 0;
  return () => Promise.resolve(drawPart(PARTS[part++], seed, partSizes(limit)).map(say));
}

const evaluate = (say: (item: EvalItem, index: number) => string) =>
  evaluateTiny(scripted(say), { seed, limit });

const yes = (text: string): string => text.replace('<answer>no</answer>', '<answer>yes</answer>');
const no = (text: string): string => text.replace('<answer>yes</answer>', '<answer>no</answer>');

const valuesOf = (json: string): unknown => JSON.parse(json);

describe('the IconWorld evaluation', () => {
  beforeAll(async () => loadIcons());

  it('gives an oracle full marks, without an interval', async () => {
    const evaluation = await evaluate(({ answer }) => answer);
    for (const name of TINY_METRICS) {
      const value = name === 'invalid' ? 0 : 1;
      expect(evaluation.metrics).toHaveProperty(name, { value, low: value, high: value });
    }
    expect(metricsJson(evaluation)).toBe(
      '{"levelsF1":1,"freeF1":1,"pss":1,"invalid":0,"named":1,"quoted":1,"unseenStyleF1":1,"newWordsF1":1}',
    );
  });

  it('gives "always unsafe" the F1 of half, and no sensitivity to policies', async () => {
    const { metrics } = await evaluate(({ answer }) => no(answer));
    for (const name of ['freeF1', 'unseenStyleF1', 'newWordsF1'] as const) {
      expect(metrics[name].value).toBeCloseTo(2 / 3, 12);
    }
    expect(metrics.pss.value).toBe(0);
    expect(metrics.named.value).toBe(1);
    const [{ low, high }, value] = [metrics.freeF1, 2 / 3];
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });

  it('gives "always safe" nothing', async () => {
    const { metrics } = await evaluate(({ answer }) => yes(answer));
    expect(metrics).toMatchObject({ freeF1: { value: 0 }, levelsF1: { value: 0 }, pss: { value: 0 } });
  });

  it('counts garbage as wrong in every judgement', async () => {
    const evaluation = await evaluate(() => 'beer [1]');
    expect(valuesOf(metricsJson(evaluation))).toEqual({
      levelsF1: 0,
      freeF1: 0,
      pss: 0,
      invalid: 1,
      named: 0,
      quoted: 0,
      unseenStyleF1: 0,
      newWordsF1: 0,
    });
  });

  it('keeps the parts apart', async () => {
    const { metrics } = await evaluate((item) => (item.part === 'newWords' ? '' : item.answer));
    expect(metrics).toMatchObject({
      invalid: { value: 0 },
      newWordsF1: { value: 0 },
      unseenStyleF1: { value: 1 },
    });
    const levels = await evaluate((item) => (item.part === 'levels' ? yes(item.answer) : item.answer));
    expect(levels.metrics).toMatchObject({ freeF1: { value: 1 }, levelsF1: { value: 0 }, pss: { value: 0 } });
  });

  it('says what became of each judgement, in order, and the same for the same answers', async () => {
    const outcomes: Outcome[] = [];
    const say = ({ answer }: EvalItem, index: number): string => (index % 3 === 0 ? no(answer) : answer);
    const first = await evaluateTiny(scripted(say), { seed, limit, onOutcome: (one) => outcomes.push(one) });
    expect(outcomes).toHaveLength(2 * limit);
    expect(outcomes[0]).toMatchObject({
      label: 'safe',
      verdict: 'unsafe',
      given: no(outcomes[0].item.answer),
    });
    expect((await evaluate(say)).metrics).toEqual(first.metrics);
  });

  it('refuses a limit that leaves the levels without a scene', async () => {
    await expect(evaluateTiny(() => Promise.resolve([]), { seed, limit: 9 })).rejects.toThrow(
      'The limit is 9: evaluate a whole number of at least 10 judgements.',
    );
  });

  it('prints tables with every metric, level and confusion', async () => {
    const report = tinyReport(await evaluate(({ answer }) => no(answer)));
    expect(report).toContain('IconWorld: 40 judgements, 24 scenes, seed unit');
    for (const name of TINY_METRICS)
      expect(report).toMatch(new RegExp(`^${name} +[\\d.]+ +[\\d.]+ … [\\d.]+`, 'm'));
    expect(report).toMatch(/^free +20 +10 +0 +0 +0 +10 +0 +0\.5000 +0\.6667$/m);
    expect(report.match(/^ {2}L[1-5] +4 /gm)).toHaveLength(5);
    expect(report).toMatch(/^things named right +100\.0 %/m);
  });
});

describe('the judgements', () => {
  beforeAll(async () => loadIcons());

  it('are N together, whatever N is', () => {
    expect(partSizes(2000)).toEqual({ free: 1000, levels: 1000, unseenStyle: 1000, newWords: 1000 });
    expect(partSizes(47)).toEqual({ free: 27, levels: 20, unseenStyle: 23, newWords: 23 });
  });

  it('are half unsafe where they are free, and five to a picture on the levels', () => {
    const sizes = partSizes(limit);
    for (const part of ['free', 'unseenStyle', 'newWords'] as const) {
      const items = drawPart(part, seed, sizes);
      expect(items.filter(({ label }) => label === 'unsafe')).toHaveLength(10);
      expect(new Set(items.map(({ scene }) => scene)).size).toBe(20);
    }
    const levels = drawPart('levels', seed, sizes);
    expect(levels.slice(0, 5).map(({ level }) => level)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(levels.slice(0, 5).map(({ image }) => image)).size).toBe(1);
    expect(new Set(levels.map(({ scene }) => scene)).size).toBe(4);
  });

  it('come from the seed alone, and a smaller limit takes the first of them', () => {
    const plain = (items: readonly EvalItem[]): string[] =>
      items.map(({ prompt, scene }) => `${scene} ${prompt}`);
    const items = plain(drawPart('free', seed, partSizes(40)));
    expect(plain(drawPart('free', seed, partSizes(20)))).toEqual(items.slice(0, 10));
    expect(plain(drawPart('free', 'other', partSizes(40)))).not.toEqual(items);
    expect(plain(drawPart('unseenStyle', seed, partSizes(40)))).not.toEqual(items);
  });
});
