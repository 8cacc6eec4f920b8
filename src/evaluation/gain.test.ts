import { beforeAll, describe, expect, it } from 'vitest';
import { loadIcons } from '../iconworld/raster.js';
import { type Examined, gainFigures, gainOver } from './gain.js';
import { evaluateTiny } from './tiny-eval.js';
import { drawPart, type EvalItem, partSizes } from './tiny-items.js';

const seed = 'unit';
const limit = 60;
const parts = ['free', 'levels'] as const;

/** A model that says of each item what `say` does, and answers this share of questions. */
async function examined(
  say: (item: EvalItem, index: number) => string,
  questions: number,
): Promise<Examined> {
  let part = 0;
  const answerer = (): Promise<string[]> =>
    Promise.resolve(drawPart(parts[part++], seed, partSizes(limit)).map(say));
  return { evaluation: await evaluateTiny(answerer, { seed, limit, parts }), questions };
}

const flipped = (answer: string): string =>
  answer.replace(/<answer>(yes|no)/, (_, word) => `<answer>${word === 'yes' ? 'no' : 'yes'}`);

describe('what training gave', () => {
  let oracle: Examined;
  let halfWrong: Examined;
  let unreadable: Examined;
  beforeAll(async () => {
    await loadIcons();
    oracle = await examined(({ answer }) => answer, 0.5);
    halfWrong = await examined(({ answer }, i) => (i % 2 === 0 ? answer : flipped(answer)), 0.4);
    unreadable = await examined(({ answer }, i) => (i % 4 === 0 ? 'hm' : answer), 0.5);
  });

  it('is nothing between a model and itself, without an interval', () => {
    expect(gainOver('levels', halfWrong, [halfWrong])).toEqual({ value: 0, low: 0, high: 0 });
    expect(gainOver('free', halfWrong, [halfWrong, halfWrong])).toEqual({ value: 0, low: 0, high: 0 });
  });

  it('is the difference of the scores, its interval around it, and the mean over runs', () => {
    const before = gainFigures(halfWrong).levelsF1 ?? Number.NaN;
    const gain = gainOver('levels', halfWrong, [oracle]);
    expect(gain.value).toBeCloseTo(1 - before, 12);
    expect(gain.low).toBeLessThan(1 - before);
    expect(gain.high).toBeGreaterThan(1 - before);
    expect(gainOver('levels', halfWrong, [oracle, halfWrong]).value).toBeCloseTo((1 - before) / 2, 12);
    expect(gainOver('levels', oracle, [halfWrong]).value).toBeCloseTo(before - 1, 12);
  });

  it('tells the format from the judgement, and the classes apart', () => {
    expect(gainFigures(oracle)).toEqual({
      levelsF1: 1,
      freeF1: 1,
      safeAccuracy: 1,
      unsafeAccuracy: 1,
      invalid: 0,
      accuracyOfReadable: 1,
      questions: 0.5,
    });
    const { invalid, accuracyOfReadable, levelsF1 } = gainFigures(unreadable);
    expect(invalid).toBeCloseTo(0.25, 1);
    expect(accuracyOfReadable).toBe(1);
    expect(levelsF1).toBeLessThan(1);
  });

  it('shows a model that calls everything unsafe', async () => {
    const always = await examined(({ answer }) => answer.replace('<answer>yes', '<answer>no'), 0);
    expect(gainFigures(always)).toMatchObject({ safeAccuracy: 0, unsafeAccuracy: 1 });
  });
});
