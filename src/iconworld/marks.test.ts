import { describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { MARK_WORDS, marksOf } from './marks.js';
import { sampleScene } from './scene.js';

describe('marksOf', () => {
  it('names the sign and each thing at its centre, in words of the vocabulary', () => {
    const random = new Random('marks');
    let signs = 0;
    for (let i = 0; i < 200; i++) {
      const scene = sampleScene(random);
      const marks = marksOf(scene);
      const settings = scene.setting === null ? [] : [scene.setting];
      signs += settings.length;
      expect(marks.slice(0, settings.length).map(({ word }) => word)).toEqual(settings);
      const things = marks.slice(settings.length);
      expect(things.map(({ x }) => x * scene.width)).toEqual(
        scene.things.map(({ x }) => expect.closeTo(x, 9)),
      );
      for (const [j, { word }] of things.entries()) {
        expect(scene.things[j].icon.name.startsWith(word)).toBe(true);
      }
      for (const { x, y, word } of marks) {
        expect(MARK_WORDS).toContain(word);
        for (const share of [x, y]) expect(share > 0 && share < 1).toBe(true);
      }
    }
    expect(signs).toBeGreaterThan(100);
  });

  it('has a word of its own for everything', () => {
    expect(new Set(MARK_WORDS).size).toBe(MARK_WORDS.length);
  });
});
