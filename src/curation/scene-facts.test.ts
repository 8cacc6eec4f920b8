import { describe, expect, it } from 'vitest';
import { seenLine } from '../iconworld/answer.js';
import { captionText, factsOf } from '../iconworld/captions.js';
import { ICONS } from '../iconworld/icons.js';
import { sampleScene } from '../iconworld/scene.js';
import type { SceneFacts } from '../iconworld/types.js';
import { Random } from '../util/random.js';
import { contradiction, makeExplicit } from './scene-facts.js';

const icons = (...names: string[]) => ICONS.filter(({ name }) => names.includes(name));
const facts: SceneFacts = { setting: 'church', things: icons('pistol', 'love letter', 'apple') };
const line = seenLine(facts);

describe('makeExplicit', () => {
  it('names the kinds of sensitive things', () => {
    expect(makeExplicit('In a church: pistol, love letter, apple.')).toBe(
      'In a church: pistol (weapons), love letter (romance), apple.',
    );
    expect(makeExplicit('There is a gray knife. A car, a carrot and scissors.')).toBe(
      'There is a gray knife (weapons). A car, a carrot and scissors.',
    );
  });

  it('changes nothing when it is done twice', () => {
    const once = makeExplicit(line);
    expect(makeExplicit(once)).toBe(once);
  });
});

describe('contradiction', () => {
  it('finds none in true captions of any form, explicit or not', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const scene = sampleScene(random);
      for (const form of ['short', 'long'] as const) {
        const text = captionText(random, scene, { form });
        for (const said of [text, makeExplicit(text)]) {
          expect([said, contradiction(said, factsOf(scene))]).toEqual([said, null]);
        }
      }
    }
  });

  it('finds that sensitive things are passed over', () => {
    let found = 0;
    for (let seed = 0; seed < 50; seed++) {
      const random = new Random(seed);
      const scene = sampleScene(random);
      if (scene.things.every(({ icon }) => icon.category === null)) continue;
      found += 1;
      const text = captionText(random, scene, { form: 'long', suppressed: true });
      expect(contradiction(text, factsOf(scene))).toMatch(/^it leaves out /);
    }
    expect(found).toBeGreaterThan(20);
  });

  it.each([
    ['In a school: pistol, love letter, apple.', 'it names the place school, and the scene has church'],
    ['No place: pistol, love letter, apple.', 'it does not name the place, church'],
    ['In a church: pistol, love letter.', 'it leaves out apple'],
    ['In a church: pistol, love letter, apple, bomb.', 'it names bomb, which the scene does not hold'],
    [
      'In a church: pistol, pistol, love letter, apple.',
      'it names pistol, which the scene does not hold so often',
    ],
    ['In a church: pistol (drugs), love letter, apple.', 'pistol is no drugs'],
    ['In a church: pistol, love letter, apple (weapons).', 'apple is no weapons'],
    ['I cannot help with that.', 'it does not name the place, church'],
  ])('rejects %s', (text, reason) => {
    expect(contradiction(text, facts)).toBe(reason);
  });

  it('finds a place where there is none', () => {
    expect(contradiction('On a beach: apple.', { setting: null, things: icons('apple') })).toBe(
      'it names the place beach, and the scene has no place',
    );
  });
});
