import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../checkpoint/files.test-util.js';
import { openRun } from '../runs/run-log.js';
import {
  completion,
  grpoLine,
  PICTURE,
  sftLine,
  type SyntheticRun,
  writeRun,
} from '../runs/synthetic-run.test-util.js';
import { ticksOf } from './axes.js';
import { binsOf } from './charts.js';
import { escapeHtml, html } from './html.js';
import { writeReport } from './report.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

const steps = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

async function pageOf(run: SyntheticRun): Promise<string> {
  const folder = await writeRun(join(scratchFolder(), 'run'), run);
  const file = join(folder, 'report.html');
  await writeReport(await openRun(folder), file);
  return readFileSync(file, 'utf8');
}

interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Tags as a browser reads them: every attribute of ours stands in double quotes, so a `>` in a value is no end. */
function tagsOf(page: string): Tag[] {
  return [...page.matchAll(/<([a-z][a-z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>/gi)].map(([, name, rest]) => ({
    name: name.toLowerCase(),
    attributes: new Map(
      [...rest.matchAll(/([^\s=/]+)(?:="([^"]*)")?/g)].map(([, attribute, value]) => [
        attribute,
        value ?? '',
      ]),
    ),
  }));
}

/** What the page may be made of. */
const TAGS = new Set(
  (
    'html head meta title style body header h1 h2 h3 dl div dt dd nav a main section p b figure figcaption svg desc g ' +
    'line text polyline polygon circle rect ul li details summary table caption thead tbody tr th td article pre img ' +
    'label select option footer script'
  ).split(' '),
);

/** Where the page may lead to. */
const ADDRESSES: Readonly<Record<string, RegExp>> = {
  href: /^#[a-z]+$/,
  src: /^data:image\/webp;base64,[A-Za-z0-9+/=]+$/,
};

const HOSTILE = [
  '</pre></article><script>alert(1)</script>',
  '</script><img src=x onerror=alert(1)>',
  `" onmouseover="alert(1)" '><svg onload=alert(1)>`,
  '<!-- --><style>*{display:none}</style>&lt;b&gt; `${x}`',
  'a\u202eb\u0000c\u001b[2Jd',
  'javascript:alert(1) https://evil.example/x.js',
];

describe('a report of a hostile run', () => {
  const text = HOSTILE.join('\n');
  const rewards = { [HOSTILE[0]]: 1, '" onclick="x': null };
  const record = (step: number, index: number, read: 'safe' | 'unsafe' | 'invalid') =>
    completion(step, index, { prompt: `${index} ${text}`, completion: text, rewards, read });
  const run: SyntheticRun = {
    metrics: steps(4).map((step) =>
      grpoLine(step, {
        rewards: { [HOSTILE[2]]: { mean: 0.5, std: 0.1 } },
        accuracy_by_policy: { [text]: 1 },
      }),
    ),
    completions: steps(4).map((step) => record(step, step, step % 2 === 0 ? 'safe' : 'invalid')),
    heldOut: [0, 4].map((step) => record(step, 0, step === 0 ? 'safe' : 'unsafe')),
    description: {
      method: 'grpo',
      config: { model: HOSTILE[1], steps: 4, [HOSTILE[2]]: text, nested: { a: [text] } },
    },
  };

  it('holds no markup but ours, and says every word of theirs', async () => {
    const page = await pageOf(run);
    // The page's own style and script are taken out whole, by their text; nothing else may be one.
    const rest = page.replace(`<style>${STYLE}</style>`, '').replace(`<script>${SCRIPT}</script>`, '');
    expect(rest.length).toBe(
      page.length - STYLE.length - SCRIPT.length - '<style></style><script></script>'.length,
    );
    expect(rest).not.toMatch(/<\/?(?:script|style)/i);
    for (const { name, attributes } of tagsOf(rest)) {
      expect(TAGS).toContain(name);
      for (const [attribute, value] of attributes) {
        expect(attribute).toMatch(/^[a-zA-Z][a-zA-Z0-9-]*$/);
        expect(attribute).not.toMatch(/^on|^style$|^srcdoc$/i);
        expect(value).toMatch(ADDRESSES[attribute] ?? /^/);
      }
    }
    // Every opening bracket of a stranger is escaped: what is left are tags and the doctype.
    const tags = rest.match(/<\/?[a-z][a-z0-9]*(?:[^<>"]|"[^"]*")*>|<!doctype html>/gi) ?? [];
    expect(rest.split('<').length - 1).toBe(tags.length);
    for (const one of HOSTILE) expect(rest).toContain(escapeHtml(one));
    expect(rest).toContain('a⟨U+202E⟩b⟨U+0000⟩c⟨U+001B⟩[2Jd');
    // oxlint-disable-next-line no-control-regex
    expect(rest).not.toMatch(/[\u0000\u001b\u202e]/);
  });

  it('lets the browser run our script alone and fetch nothing', async () => {
    const page = await pageOf(run);
    const meta = tagsOf(page).find(
      ({ attributes }) => attributes.get('http-equiv') === 'Content-Security-Policy',
    );
    const hash = (of: string): string =>
      `&#39;sha256-${createHash('sha256').update(of).digest('base64')}&#39;`;
    expect(meta?.attributes.get('content')?.split('; ')).toEqual([
      'default-src &#39;none&#39;',
      'img-src data:',
      `style-src ${hash(STYLE)}`,
      `script-src ${hash(SCRIPT)}`,
      'base-uri &#39;none&#39;',
      'form-action &#39;none&#39;',
    ]);
    // The policy must come before what it governs.
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style>'));
    expect(STYLE).not.toMatch(/url\(|@import|@font-face|</);
    expect(SCRIPT).not.toMatch(/innerHTML|insertAdjacent|document\.write|eval|fetch|<\//);
  });
});

describe('a report', () => {
  const good: SyntheticRun = {
    metrics: steps(9).map((step) =>
      grpoLine(step, {
        held_out: step % 3 === 0 ? { reward: 1, macro_f1: 0.7, confusion: grpoLine(1).confusion } : null,
      }),
    ),
    completions: steps(9).flatMap((step) =>
      [0, 1].map((place) => completion(step, step, { place, reward: place, tokens: 10 * step })),
    ),
    heldOut: [0, 3, 9].flatMap((step) =>
      [0, 1].map((index) =>
        completion(step, index, { prompt: `Policy ${index}`, read: step > index ? 'unsafe' : 'safe' }),
      ),
    ),
    description: { method: 'grpo', config: { model: 'models/x', steps: 9, optimizer: { lr: 0.1 } } },
  };

  it('shows every part of a GRPO run, each drawing with its text', async () => {
    const page = await pageOf(good);
    const titles = [
      'Reward',
      'Reward by function',
      'Held-out macro-F1',
      'Accuracy in training',
      'KL to the start',
    ];
    for (const title of [
      ...titles,
      'Entropy',
      'Clip ratios',
      'Completion length',
      'Lost to learning',
      'Rewards',
      'Lengths',
    ])
      expect(page).toMatch(
        new RegExp(
          `<svg viewBox="[^"]+" role="img" aria-labelledby="[^"]+"><title id="[^"]+">${title}</title><desc id="[^"]+">[^<]+</desc>`,
        ),
      );
    const drawings = tagsOf(page).filter(
      ({ name, attributes }) => name === 'svg' && !attributes.has('aria-hidden'),
    );
    const ids = tagsOf(page).flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { attributes } of drawings)
      for (const id of attributes.get('aria-labelledby')?.split(' ') ?? ['missing'])
        expect(ids).toContain(id);
    for (const image of tagsOf(page).filter(({ name }) => name === 'img')) {
      expect(image.attributes.get('alt')).toMatch(/^Picture 1 of prompt \d+, which the policy makes unsafe$/);
    }
    expect(page).toContain('<td><b>0.725 (9)</b></td>');
    expect(page).toContain('<tr><th scope="row">optimizer.lr</th><td class="text">0.1</td></tr>');
    expect(page).toContain('<caption>Sampled, steps 1–3</caption>');
    expect(page).toContain('label 1.000 · readable 1.000 · quote –');
  });

  it('compares the first and the last step, and tells what turned in between', async () => {
    const page = await pageOf(good);
    const turns = [
      ...page.matchAll(
        /<tr><th scope="row">(\d)<\/th><td>(\d)<\/td><td>(\d)<\/td><td>([\d–])<\/td><td>([\d–])<\/td><\/tr>/g,
      ),
    ];
    expect(turns.map((row) => row.slice(1).join(' '))).toEqual(['0 0 2 – –', '3 2 2 2 0', '9 2 2 0 0']);
    const options = [...page.matchAll(/<option value="(\d)"( selected)?>/g)].map(
      ([, step, chosen]) => `${step}${chosen ?? ''}`,
    );
    expect(options).toEqual(['0 selected', '3', '9', '0', '3', '9 selected']);
    // Each side has every step's answer, and shows one.
    const sides = page.split('data-side="a"').slice(2);
    expect(sides).toHaveLength(2);
    for (const side of sides) {
      const [a, b] = side.split('data-side="b"');
      for (const [half, shown] of [
        [a, '0'],
        [b, '9'],
      ] as const) {
        const answers = [...half.matchAll(/data-step="(\d)"( hidden)?/g)];
        expect(answers.map(([, step]) => step)).toEqual(['0', '3', '9']);
        expect(answers.filter(([, , hidden]) => hidden === undefined).map(([, step]) => step)).toEqual([
          shown,
        ]);
      }
    }
  });

  it('compares sampled answers where a prompt came again and nothing is held out', async () => {
    const page = await pageOf({
      metrics: [grpoLine(1), grpoLine(2)],
      completions: [1, 2].map((step) => completion(step, 10 * step, { prompt: 'the same' })),
    });
    expect(page).toContain('Sampled answers to prompts that came more than once');
    const alone = await pageOf({ metrics: [grpoLine(1)], completions: [completion(1, 1)] });
    expect(alone).not.toContain('What changed');
    expect(alone).toContain('What to look at');
  });

  it('is as short as a run that has only curves', async () => {
    const page = await pageOf({ metrics: steps(500).map((step) => sftLine(step)) });
    expect(page).toContain('SFT run run');
    expect(page).toContain('Loss by task');
    for (const part of ['Samples', 'Confusion', 'Settings', 'Distributions'])
      expect(page).not.toContain(`>${part}</h2>`);
    // 500 steps are drawn as at most 180 points.
    const [, points] = /<polyline class="line c0 d0" points="([^"]+)"/.exec(page) ?? [];
    expect(points.split(' ')).toHaveLength(180);
    expect(page).toContain('Numbers of Loss (16 of 500 steps)');
  });

  it('opens no file but the run’s own pictures, and goes on without one', async () => {
    const outside = join(scratchFolder(), 'secret.png');
    writeFileSync(outside, 'secret');
    const broken = PICTURE.replace('aaaa', 'bbbb');
    const images = [outside, '../secret.png', 'images/../metrics.jsonl', broken];
    const folder = await writeRun(join(scratchFolder(), 'run'), {
      metrics: [grpoLine(1)],
      completions: images.map((image, i) => completion(1, i, { images: [image] })),
    });
    writeFileSync(join(folder, broken), 'no picture');
    await writeReport(await openRun(folder), join(folder, 'r.html'));
    const page = readFileSync(join(folder, 'r.html'), 'utf8');
    expect(page).not.toContain('<img');
    expect(page).toContain('missing or broken');
    await expect(writeReport(await openRun(folder), join(folder, 'no', 'r.html'))).rejects.toThrow(
      /cannot be written; the folder does not exist: create it first/,
    );
  });
});

describe('the page’s script', () => {
  const scope: Record<string, unknown> = {};
  runInNewContext(SCRIPT, scope);
  const parts = (a: string, b: string): { text: string; kept: boolean }[] =>
    (scope.parts as (a: string, b: string) => { text: string; kept: boolean }[])(a, b);

  it('marks the words that the other side does not have', () => {
    const marked = (a: string, b: string): string =>
      parts(a, b)
        .map(({ text, kept }) => (kept ? text : `[${text}]`))
        .join('');
    expect(marked('knife: weapons [2] allowed', 'knife: weapons [2] banned')).toBe(
      'knife: weapons [2] [banned]',
    );
    expect(marked('a c', 'a b c')).toBe('a [b][ ]c');
    expect(marked('', 'new')).toBe('[new]');
    expect(marked('same', 'same')).toBe('same');
    const long = 'word '.repeat(2000);
    expect(parts(long, `${long}x`)).toEqual([{ text: `${long}x`, kept: false }]);
  });
});

describe('drawing', () => {
  it.each<[readonly [number, number], number[]]>([
    [
      [0, 1],
      [0, 0.25, 0.5, 0.75, 1],
    ],
    [
      [1, 6],
      [0, 2, 4, 6],
    ],
    [
      [-0.1, 0.25],
      [-0.1, 0, 0.1, 0.2, 0.3],
    ],
    [[3, 3], [3]],
  ])('puts round ticks around %j', (range, ticks) => {
    expect(ticksOf(range, { whole: range[0] === 1 })).toEqual(ticks);
  });

  it('counts every value in one bin, the largest too', () => {
    const bins = binsOf(
      [
        { name: 'a', values: [0, 1, 2, 3, 4] },
        { name: 'b', values: [4] },
      ],
      4,
    );
    expect(bins.map(({ shares }) => shares)).toEqual([
      [0.2, 0],
      [0.2, 0],
      [0.2, 0],
      [0.4, 1],
    ]);
    expect(binsOf([{ name: 'flat', values: [7, 7] }], 2).map(({ shares }) => shares[0])).toEqual([1, 0]);
  });

  it('escapes what stands in a template, and lists in it', () => {
    expect(html`<p title="${'"'}">${['<', html`<b>${'&'}</b>`]}${null}${3}</p>`.text).toBe(
      '<p title="&quot;">&lt;<b>&amp;</b>3</p>',
    );
  });
});
