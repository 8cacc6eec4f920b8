import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { factsOf, looseFactsOf } from './captions.js';
import { inLooseReadingOrder, inReadingOrder } from './reading-order.js';
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

describe('inLooseReadingOrder', () => {
  const random = new Random('loose');
  const scene = sampleScene(new Random('rows'), { count: 3, sides: [112] });
  /** Orders that were met in many tries, of things at these places: `0,1,2` is the order in which they stand. */
  const ordersOf = (places: readonly (readonly [x: number, y: number])[]): Set<string> => {
    const things = scene.things.map((thing, i) => ({ ...thing, x: places[i][0], y: places[i][1] }));
    const loose = (): string =>
      inLooseReadingOrder(random, { ...scene, things })
        .map((thing) => things.indexOf(thing))
        .join();
    return new Set(Array.from({ length: 300 }, loose));
  };

  it('keeps what is plain to see', () => {
    expect(
      ordersOf([
        [20, 14],
        [90, 14],
        [50, 70],
      ]),
    ).toEqual(new Set(['0,1,2']));
  });

  it('takes a thing that lies across two rows into either', () => {
    expect(
      ordersOf([
        [90, 14],
        [20, 27],
        [50, 98],
      ]),
    ).toEqual(new Set(['1,0,2', '0,1,2']));
  });

  it('loses nothing', () => {
    for (let i = 0; i < 50; i++) {
      const other = sampleScene(random);
      const names = (things: readonly { readonly name: string }[]): string[] =>
        things.map(({ name }) => name).sort();
      expect(names(looseFactsOf(random, other).things)).toEqual(names(factsOf(other).things));
    }
  });
});
