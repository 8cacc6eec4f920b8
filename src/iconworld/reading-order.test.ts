import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { factsOf } from './captions.js';
import { inReadingOrder } from './reading-order.js';
import { sampleScene } from './scene.js';

describe('inReadingOrder', () => {
  it('goes through the rows of cells from the top and through each from the left', () => {
    const scene = sampleScene(new Random('rows'), { count: 4, sides: [112] });
    // Four rows of 28 px: things at the bottom left, top right, top left, and just below the first row.
    const at = [
      [10, 100],
      [90, 27],
      [60, 2],
      [100, 29],
    ] as const;
    const things = scene.things.map((thing, i) => ({ ...thing, x: at[i][0], y: at[i][1] }));
    const order = inReadingOrder({ ...scene, things });
    expect(order.map(({ x }) => x)).toEqual([60, 90, 100, 10]);
    expect(factsOf({ ...scene, things }).things).toEqual([2, 1, 3, 0].map((i) => things[i].icon));
  });

  it('loses nothing and takes larger scenes as the model sees them', () => {
    const random = new Random('larger');
    for (let i = 0; i < 50; i++) {
      const scene = sampleScene(random);
      const order = inReadingOrder(scene);
      expect(new Set(order)).toEqual(new Set(scene.things));
    }
    // 224 px are seen as 140: five rows of 44.8 px.
    const tall = sampleScene(random, { count: 2, sides: [224] });
    const things = tall.things.map((thing, i) => ({ ...thing, x: [200, 20][i], y: [44, 46][i] }));
    expect(inReadingOrder({ ...tall, things }).map(({ x }) => x)).toEqual([200, 20]);
  });
});
