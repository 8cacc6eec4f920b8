import { beforeAll, describe, expect, it } from 'vitest';
import { loadIcons } from '../iconworld/raster.js';
import { type IconworldMixture, iconworldSource } from './iconworld-source.js';

beforeAll(() => loadIcons());

const mixture: IconworldMixture = {
  tasks: { reading: 0.5, caption: 0.25, question: 0.25, judgement: 0 },
  curriculum: [
    [0, 1],
    [0.5, 8],
  ],
  seed: 3,
  total: 400,
};

describe('iconworldSource', () => {
  it('mixes the tasks by their weights', async () => {
    const source = await iconworldSource(mixture);
    const counts: Record<string, number> = {};
    for (let i = 0; i < 200; i++) {
      const { task } = await source.sample(i);
      counts[task] = (counts[task] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(['caption', 'question', 'reading']);
    expect(counts.reading).toBeGreaterThan(70);
    expect(counts.reading).toBeLessThan(130);
  });

  it('gives the same sample for the same place, whatever was asked for before', async () => {
    const [one, two] = [await iconworldSource(mixture), await iconworldSource(mixture)];
    const expected = await one.sample(17);
    await two.sample(399);
    await two.sample(2);
    expect(await two.sample(17)).toEqual(expected);
    const other = await iconworldSource({ ...mixture, seed: 4 });
    expect(await other.sample(17)).not.toEqual(expected);
  });

  it('lets policies grow along the curriculum', async () => {
    const source = await iconworldSource({ ...mixture, tasks: { reading: 1 } });
    const longest = async (from: number): Promise<number> => {
      const prompts = await Promise.all(Array.from({ length: 40 }, (_, i) => source.sample(from + i)));
      return Math.max(...prompts.map(({ prompt }) => prompt.match(/\[\d+\]/g)?.length ?? 0));
    };
    expect(await longest(300)).toBeGreaterThan(await longest(0));
  });

  it('refuses tasks that do not exist, and none at all', async () => {
    await expect(iconworldSource({ ...mixture, tasks: { captions: 1 } })).rejects.toThrow(
      /Unknown IconWorld task 'captions' in data\.tasks: choose among caption, .*reading, .*judgement/,
    );
    // Named like something that every object has.
    for (const task of ['toString', 'constructor', 'hasOwnProperty']) {
      await expect(iconworldSource({ ...mixture, tasks: { [task]: 1 } })).rejects.toThrow(
        `Unknown IconWorld task '${task}' in data.tasks: choose among caption, `,
      );
    }
    await expect(iconworldSource({ ...mixture, tasks: { caption: 0 } })).rejects.toThrow(
      'data.tasks gives no task a weight above 0: name at least one.',
    );
  });
});
