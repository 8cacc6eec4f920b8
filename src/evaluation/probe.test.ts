import { describe, expect, it, beforeAll } from 'vitest';
import { loadIcons } from '../iconworld/raster.js';
import type { Answerer } from './answerer.js';
import { PROBE_TASKS, probeLine, type ProbeOptions, probeSamples, probeTasks } from './probe.js';

const oracle =
  (options: ProbeOptions): Answerer =>
  (items) => {
    const gold = new Map(probeSamples(options).map(({ prompt, answer }, i) => [`${i} ${prompt}`, answer]));
    return Promise.resolve(items.map(({ prompt }, i) => gold.get(`${i} ${prompt}`) ?? ''));
  };

const always =
  (answer: string): Answerer =>
  (items) =>
    Promise.resolve(items.map(() => answer));

describe('probe', () => {
  beforeAll(async () => loadIcons());

  it.each(PROBE_TASKS)('gives an oracle full marks on %s', async (task) => {
    const options = { task, count: 12, seed: 3 };
    const result = await probeTasks(oracle(options), options);
    expect(result).toMatchObject({ exact: 1, count: 12, wrong: [] });
    for (const share of [result.named, result.setting, result.status, result.verdict, result.quoted]) {
      expect([1, null]).toContain(share);
    }
    expect(result.invalid).toBe(
      task === 'outOfWorld' ? 1 : task === 'reading' || task === 'judgement' ? 0 : null,
    );
  });

  it('gives text without pictures for reading, with the seen line first', () => {
    const [sample] = probeSamples({ task: 'reading', count: 1, maxRules: 2 });
    expect(sample.image).toBeNull();
    expect(sample.prompt).toMatch(/^(No place|In|On|At)[^\n]*: [^\n]+\.\n \[1\] "/);
    expect(sample.prompt.split('\n').length).toBeLessThanOrEqual(1 + 2 + 1 + 4);
  });

  it('marks garbage as invalid and wrong in everything', async () => {
    const result = await probeTasks(always('beer beer'), { task: 'judgement', count: 8 });
    expect(result).toMatchObject({ exact: 0, named: 0, setting: 0, status: 0, verdict: 0, invalid: 1 });
    expect(result.wrong).toHaveLength(8);
    expect(probeLine(result)).toMatch(/^judgement {3}n 8 {2}exact 0.000 .*invalid 1.000$/);
  });

  it('draws the same samples from the same seed, others from another, and none that two splits share', () => {
    const prompts = (options: Omit<ProbeOptions, 'task'>): string[] =>
      probeSamples({ task: 'reading', count: 5, ...options }).map(({ prompt }) => prompt);
    expect(prompts({ seed: 1 })).toEqual(prompts({ seed: 1 }));
    expect(prompts({ seed: 1 })).not.toEqual(prompts({ seed: 2 }));
    expect(prompts({ seed: 1, split: 'test' })).not.toEqual(prompts({ seed: 1, split: 'validation' }));
  });
});
