import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../util/random.js';
import { parseAnswer, seenLine } from './answer.js';
import { CAPTION_PROMPTS, captionText, factsOf, withArticle } from './captions.js';
import { ICONS } from './icons.js';
import { namedBy } from './label.js';
import { loadIcons } from './raster.js';
import { QUESTION_KINDS, type QuestionKind } from './questions.js';
import {
  captionSample,
  findWordsSample,
  judgementSample,
  locateSample,
  outOfWorldSample,
  questionSample,
  readingSample,
  type Sample,
  type SampleStream,
} from './samples.js';
import { sampleScene } from './scene.js';

const take = (stream: SampleStream, count: number, seed = 'samples'): Sample[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => stream.next(random));
};
const share = (samples: readonly Sample[], is: (sample: Sample) => boolean): number =>
  samples.filter(is).length / samples.length;

describe('locateSample', () => {
  it('gives each category that is named the first statement that names it, wherever that stands', () => {
    const samples = take(locateSample(), 300);
    const numbers = samples.flatMap(({ answer, meta }) => {
      const rules = meta.policy?.statements.map(({ rule }) => rule) ?? [];
      return answer.split('\n').map((line) => {
        const [, category, number] = /^- ([a-z]+) \[(\d+)\]$/.exec(line) ?? [];
        const naming = rules.findIndex((rule) => namedBy(rule).some((name) => name === category));
        const decides = naming < 0 ? rules.findIndex(({ kind }) => kind === 'default') : naming;
        expect(Number(number)).toBe(decides + 1);
        return naming < 0 ? 'default' : 'named';
      });
    });
    // The default decides only where no statement names anything.
    expect(numbers.filter((kind) => kind === 'named').length / numbers.length).toBeGreaterThan(0.95);
  });

  it('does not name in the question what is looked for', () => {
    for (const { prompt } of take(locateSample({ maxRules: 2 }), 50)) {
      expect(prompt.split('\n', 1)).toEqual(['Which statement decides?']);
    }
  });
});

describe('findWordsSample', () => {
  it('asks for words that stand in one statement only, and gives its number', () => {
    for (const { prompt, answer, meta } of take(findWordsSample(), 200)) {
      const texts = meta.policy?.statements.map(({ text }) => text) ?? [];
      for (const line of answer.split('\n')) {
        const [, word, number] = /^- ([a-z]+) \[(\d+)\]$/.exec(line) ?? [];
        expect(prompt.split('\n', 1).join('')).toContain(` ${word}`);
        const having = texts.flatMap((text, i) =>
          text
            .toLowerCase()
            .split(/[^a-z]+/)
            .includes(word)
            ? [i + 1]
            : [],
        );
        expect(having).toEqual([Number(number)]);
      }
    }
  });
});

describe('readingSample', () => {
  it('starts with what is seen, then the numbered policy, without a picture', () => {
    for (const { image, prompt, meta } of take(readingSample(), 100)) {
      expect(image).toBeNull();
      const [seen, first] = prompt.split('\n');
      expect(meta.facts && seenLine(meta.facts)).toBe(seen);
      expect(first).toMatch(/^ \[1\] "/);
    }
  });

  it('follows the curriculum: never more rules than its step, half of the samples as many', () => {
    for (const maxRules of [1, 4]) {
      const counts = take(readingSample({ maxRules }), 400).map(
        ({ meta }) =>
          meta.policy?.statements.filter(({ rule }) => rule.kind !== 'voice' && rule.kind !== 'default')
            .length ?? 0,
      );
      expect(Math.max(...counts)).toBe(maxRules);
      expect(counts.filter((count) => count === maxRules).length / counts.length).toBeGreaterThan(0.45);
      expect(Math.min(...counts)).toBe(1);
    }
  });

  it('has all lengths of 1–6 things and both statuses and labels about equally', () => {
    const samples = take(readingSample(), 1500);
    expect(new Set(samples.map(({ meta }) => meta.facts?.things.length))).toEqual(
      new Set([1, 2, 3, 4, 5, 6]),
    );
    const cited = samples.flatMap(({ answer }) =>
      parseAnswer(answer).things.flatMap(({ citation }) => citation?.status ?? []),
    );
    expect(Math.abs(cited.filter((status) => status === 'banned').length / cited.length - 0.5)).toBeLessThan(
      0.1,
    );
    expect(Math.abs(share(samples, ({ meta }) => meta.label === 'unsafe') - 0.5)).toBeLessThan(0.17);
  });
});

describe('judgementSample', () => {
  it('is unsafe half of the time', () => {
    const samples = take(judgementSample({ render: false }), 1500);
    expect(Math.abs(share(samples, ({ meta }) => meta.label === 'unsafe') - 0.5)).toBeLessThan(0.06);
    expect(samples.every(({ prompt }) => prompt.startsWith(' [1] "'))).toBe(true);
  });

  it('may give the verdict alone', () => {
    for (const { answer, meta } of take(judgementSample({ render: false, bare: true }), 20)) {
      expect(answer).toBe(`<answer>${meta.label === 'safe' ? 'yes' : 'no'}</answer>`);
    }
  });

  it('writes policies without the picture in mind where asked: hardly a statement on two categories matches', () => {
    const matching = (unrelated: boolean): number => {
      const rules = take(judgementSample({ render: false, unrelated }), 1200).flatMap(({ meta }) =>
        (meta.policy?.statements ?? []).flatMap(({ rule }) =>
          rule.kind === 'neverTogether' ? [{ rule, things: meta.facts?.things ?? [] }] : [],
        ),
      );
      const matched = rules.filter(({ rule, things }) =>
        rule.categories.every((category) => things.some((thing) => thing.category === category)),
      );
      return matched.length / rules.length;
    };
    expect(matching(false)).toBeGreaterThan(0.08);
    expect(matching(true)).toBeLessThan(0.02);
  });

  it('draws other policies in every split', () => {
    const prompts = (['train', 'validation', 'test', 'newWords'] as const).map(
      (split) => take(judgementSample({ split, render: false }), 3)[0].prompt,
    );
    expect(new Set(prompts).size).toBe(4);
  });
});

describe('captions', () => {
  it('are asked for in their form; the short one is the first line of an answer', () => {
    for (const { prompt, answer, meta } of take(captionSample({ render: false }), 200)) {
      const long = CAPTION_PROMPTS.long.includes(prompt);
      expect(CAPTION_PROMPTS.short.includes(prompt)).toBe(!long);
      expect(meta.facts !== null && seenLine(meta.facts) === answer).toBe(!long);
    }
  });

  it('name everything when complete, nothing sensitive when suppressed', () => {
    const random = new Random('captions');
    for (let i = 0; i < 100; i++) {
      const scene = sampleScene(random);
      for (const form of ['short', 'long'] as const) {
        const complete = captionText(random, scene, { form });
        const suppressed = captionText(random, scene, { form, suppressed: true });
        for (const { name, category } of factsOf(scene).things) {
          const named = new RegExp(`\\b${name}\\b`);
          expect(complete).toMatch(named);
          expect(named.test(suppressed)).toBe(category === null);
        }
        const sensitive = scene.things.some(({ icon }) => icon.category !== null);
        expect(/\ban object\b/i.test(suppressed)).toBe(sensitive);
      }
    }
  });

  it('put the right article before names', () => {
    expect([
      withArticle('apple'),
      withArticle('pistol'),
      withArticle('apple', 'red'),
      withArticle('scissors'),
    ]).toEqual(['an apple', 'a pistol', 'a red apple', 'scissors']);
    expect(ICONS.filter(({ name }) => /^(a|an) /.test(name))).toEqual([]);
  });
});

describe('questions', () => {
  const of = (kind: QuestionKind): Sample[] =>
    take(questionSample({ render: false, kinds: [kind] }), 400, kind);

  it.each(QUESTION_KINDS)('of %s have short answers, none of which is the safe guess', (kind) => {
    const samples = of(kind);
    const counts = new Map<string, number>();
    for (const { answer, meta } of samples) {
      expect(meta.question).toBe(kind);
      expect(answer.split(' ').length).toBeLessThanOrEqual(3);
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
    expect(Math.max(...counts.values()) / samples.length).toBeLessThan(0.6);
  });

  it('of presence tell the truth', () => {
    for (const { prompt, answer, meta } of of('presence')) {
      const there = meta.facts?.things.some(({ name }) => new RegExp(`\\b${name}\\b`).test(prompt));
      expect(answer).toBe(there ? 'yes' : 'no');
    }
  });

  it('of rules come with the numbered policy', () => {
    for (const { prompt, meta } of of('rule')) {
      expect(prompt).toMatch(/^ \[1\] "[\s\S]*\n[^[\n]+[?.]$/);
      expect(meta.policy).not.toBeNull();
    }
  });
});

describe('with pictures', () => {
  beforeAll(() => loadIcons());

  it('draws every stream, the same for the same seed', () => {
    for (const stream of [
      captionSample(),
      judgementSample({ scene: { style: 'noto', sides: [112] } }),
      questionSample(),
      outOfWorldSample(),
    ]) {
      const [a] = take(stream, 1);
      const [b] = take(stream, 1);
      expect(a.image?.data.length).toBe(3 * (a.image?.width ?? 0) * (a.image?.height ?? 0));
      expect(b).toEqual(a);
    }
  });

  it('answers what is no scene with the one fixed sentence', () => {
    expect(parseAnswer(take(outOfWorldSample({ render: false }), 1)[0].answer).kind).toBe('unknown');
  });
});
