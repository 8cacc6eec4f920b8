import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSource, JudgeOptions, LoadOptions, ServedModel } from '../guard/guard.js';
import type { Verdict } from '../guard/verdict.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { EXIT } from './exit-codes.js';
import { judge, type JudgeArguments, type JudgeParts } from './judge.js';
import { OVERSIGHT } from './output.js';

const base: Omit<Verdict, 'policy'> = {
  label: 'safe',
  probability: 0.0312,
  category: null,
  violatedRule: null,
  reasoning: 'In a school: apple.\napple: harmless',
  raw: '<think>…</think><answer>yes</answer>',
  problem: null,
  tokens: { prompt: 120, completion: 30 },
  timings: { image: 5, generate: 1495, total: 1500 },
  regime: 'reason',
  asked: false,
  unknownWords: [],
  images: [{ sha256: null, width: 1, height: 1, shown: null }],
  maxPixels: null,
  model: { name: 'tiny', path: '/models/tiny', hash: 'abcdef0123456789' },
  profile: 'iconworld',
  finishReason: 'stop',
};
const rule = { number: 2, text: 'No beer.', quotedExactly: true };
const unknown = { kind: 'unknownPicture', message: 'the model does not know such pictures' } as const;
/** What the fake guard says of each file; the policy "lax" turns unsafe into safe. */
const SCRIPT: Readonly<Record<string, Partial<Verdict>>> = {
  'safe.png': {},
  'unsafe.png': { label: 'unsafe', probability: 0.97, category: 'alcohol', violatedRule: rule },
  'misquoted.png': { label: 'unsafe', probability: 0.9999, violatedRule: { ...rule, quotedExactly: false } },
  'large.png': { maxPixels: 5000 },
  'photo.png': {
    label: 'invalid',
    probability: null,
    problem: unknown,
    reasoning: 'This is not a picture I know.',
  },
  'garbled.png': {
    label: 'invalid',
    probability: null,
    reasoning: '',
    raw: '\u001b[31mwhat',
    problem: { kind: 'unreadable', message: 'the answer has no <answer>' },
  },
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly loaded: readonly [string | ServedModel | undefined, LoadOptions][];
  readonly judged: readonly (JudgeOptions | undefined)[];
}

/** `interruptAfter`: Ctrl-C comes when so many judgements are taken. */
async function ran(
  images: readonly string[],
  options: JudgeArguments = {},
  interruptAfter = Infinity,
): Promise<Ran> {
  const interrupts: (() => void)[] = [];
  const out: string[] = [];
  const err: string[] = [];
  const loaded: [string | ServedModel | undefined, LoadOptions][] = [];
  const judged: (JudgeOptions | undefined)[] = [];
  const verdictOn = (image: ImageSource | readonly ImageSource[], policy: Policy): Verdict => {
    const name = Array.isArray(image) ? image.join(' + ') : (image as string);
    if (name === 'long.png') throw new UserError('the prompt is too long');
    if (name === 'broken.png')
      throw new UserError('the image broken.png is damaged', { code: 'invalid_image' });
    if (name === 'bug.png') throw new TypeError('our bug');
    const lax = policy.title === 'lax';
    return { ...base, ...(lax ? {} : SCRIPT[name]), policy: policy.identity };
  };
  const parts: JudgeParts = {
    loadGuard: async (model, given) => {
      loaded.push([model, given]);
      return await Promise.resolve({
        engine: { identity: base.model },
        profile: { name: base.profile },
        judge: async (image, policy, how) => {
          judged.push(how);
          return await Promise.resolve(verdictOn(image, policy));
        },
        async *judgeAll(judgements, { signal, ...how } = {}) {
          let index = 0;
          for await (const judgement of judgements) {
            judged.push({ ...how, batchSize: undefined } as JudgeOptions);
            if (index === interruptAfter) for (const interrupt of interrupts) interrupt();
            signal?.throwIfAborted();
            const one = { index: index++, judgement };
            try {
              const verdict = verdictOn(judgement.image, judgement.policy as Policy);
              yield { ...one, verdict, error: null };
            } catch (error) {
              if (!(error instanceof UserError)) throw error;
              yield { ...one, verdict: null, error };
            }
          }
        },
        unknownWordsNote: ({ title }) => (title === 'strange' ? 'never trained on \u001b[31mbeer' : null),
      });
    },
    loadPolicy: async (path) =>
      await Promise.resolve(Policy.fromMarkdown('Be kind. No beer.', { name: path.replace(/^.*[/]/, '') })),
    findImages: async (names) => await Promise.resolve({ names, skipped: 0 }),
    readStdin: async () => await Promise.resolve(Buffer.from('Be kind. No beer.')),
    terminal: {
      out: (text) => out.push(text),
      err: (text) => err.push(text),
      part: (text) => err.push(text),
      paint: (_, text) => text,
    },
    signals: {
      on: (name: string, handler: () => void) => {
        if (name === 'SIGINT') interrupts.push(handler);
        return process;
      },
      off: () => process,
    } as unknown as JudgeParts['signals'],
  };
  const code = await judge(images, { policy: ['strict'], ...options }, parts);
  return { code, out: out.join('\n'), err: err.join('\n'), loaded, judged };
}

describe('the exit code of safeguard judge', () => {
  const table: readonly (readonly [readonly string[], number])[] = [
    [['safe.png'], EXIT.ok],
    [['safe.png', 'safe.png'], EXIT.ok],
    [['safe.png', 'unsafe.png'], EXIT.unsafe],
    [['unsafe.png', 'photo.png', 'safe.png'], EXIT.invalid],
    [['photo.png'], EXIT.invalid],
    [['broken.png'], EXIT.userError],
    [['unsafe.png', 'broken.png', 'photo.png'], EXIT.userError],
    [['long.png', 'photo.png'], EXIT.userError],
  ];
  it.each(table)('for %j is %i', async (images, code) => {
    expect((await ran(images)).code).toBe(code);
    expect((await ran(images, { json: true })).code).toBe(code);
    expect((await ran(images, { exitZero: true })).code).toBe(code === EXIT.userError ? code : EXIT.ok);
  });

  it('depends on the policy', async () => {
    expect((await ran(['unsafe.png'], { policy: ['lax'] })).code).toBe(EXIT.ok);
    expect((await ran(['unsafe.png'], { policy: ['lax', 'strict'] })).code).toBe(EXIT.unsafe);
  });
});

describe('safeguard judge', () => {
  it('shows one verdict whole', async () => {
    const { out, err } = await ran(['unsafe.png']);
    expect(out.split('\n')).toEqual([
      'UNSAFE  P(unsafe) 0.970  unsafe.png  under  strict',
      '',
      '  breaks rule 2 (alcohol): “No beer.”',
      '  reasoning: In a school: apple.',
      '             apple: harmless',
      '',
      'time    1.50 s (image 5 ms, answer 1.50 s)',
      'tokens  120 read, 30 written',
      'model   tiny abcdef012345, profile iconworld',
      'from    /models/tiny',
      expect.stringMatching(/^policy {2}[0-9a-f]{16}$/),
      OVERSIGHT,
    ]);
    expect(err).toBe('');
  });

  it('shows several compactly, with their reasons, and counts them', async () => {
    const { out } = await ran(['unsafe.png', 'safe.png'], { policy: ['lax', 'strict'] });
    const heads = out.split('\n').filter((line) => /^(SAFE|UNSAFE)/.test(line));
    expect(heads).toEqual([
      expect.stringMatching(
        /^SAFE {2}P\(unsafe\) 0\.031 {2}unsafe\.png {2}under {2}lax {2}\(1\.50 s, policy [0-9a-f]{16}\)$/,
      ),
      expect.stringMatching(/^UNSAFE .*unsafe\.png {2}under {2}strict/),
      expect.stringMatching(/^SAFE .* safe\.png {2}under {2}lax/),
      expect.stringMatching(/^SAFE .* safe\.png {2}under {2}strict/),
    ]);
    expect(out).toContain('  breaks rule 2 (alcohol): “No beer.”\n  reasoning: In a school: apple.');
    expect(out.split('\n').slice(-2)).toEqual([
      '3 safe, 1 unsafe  model tiny abcdef012345, profile iconworld',
      OVERSIGHT,
    ]);
  });

  it('warns of a quotation that is not the policy, and shows no certainty that is none', async () => {
    const { out } = await ran(['misquoted.png']);
    expect(out).toContain('P(unsafe) > 0.999');
    expect(out).toContain('“No beer.”  the model did not quote it word for word: check it');
  });

  it('says what to give where the model does not know such pictures', async () => {
    const { out, err } = await ran(['photo.png', 'photo.png']);
    expect(out).toContain('INVALID  photo.png  under  strict');
    expect(out).toContain('no verdict: the model does not know such pictures');
    expect(err.match(/--model FOLDER, such as SafeGuard-VL-RL/g)).toHaveLength(1);
    expect((await ran(['garbled.png'])).err).toBe('');
  });

  it('shows an answer that cannot be read without the control characters in it', async () => {
    const { out } = await ran(['garbled.png']);
    expect(out).toContain('no verdict: the answer has no <answer>');
    expect(out).toContain('answer: "[31mwhat"');
    expect(out).not.toContain('\u001b');
  });

  it('judges the others where one picture cannot be read', async () => {
    const { out, err } = await ran(['broken.png', 'safe.png', 'long.png'], { policy: ['lax', 'strict'] });
    expect(err.split('\n')).toEqual([
      'error: the image broken.png is damaged',
      'error: long.png under lax: the prompt is too long',
      'error: long.png under strict: the prompt is too long',
    ]);
    expect(out).toContain('2 safe, 4 not judged');
  });

  it('writes one JSON object a line, errors too', async () => {
    const { out } = await ran(['unsafe.png', 'broken.png'], { json: true });
    const lines = out.split('\n').map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      {
        image: 'unsafe.png',
        policyFile: 'strict',
        ...base,
        ...SCRIPT['unsafe.png'],
        policy: { id: expect.stringMatching(/^[0-9a-f]{16}$/), title: 'strict' },
      },
      {
        image: 'broken.png',
        policyFile: 'strict',
        error: 'the image broken.png is damaged',
        code: 'invalid_image',
        kind: 'input',
      },
    ]);
  });

  it('hands on how the model is opened and asked', async () => {
    expect((await ran(['safe.png'])).loaded).toEqual([[undefined, { fetch: { allowPrivate: false } }]]);
    const { loaded, judged } = await ran(['safe.png'], {
      model: 'folder',
      profile: 'paper',
      adapter: 'lora',
      maxPixels: 1000,
      allowPrivateNetwork: ['10.0.0.0/8'],
      regime: 'hybrid',
      certainty: 0.8,
      constrained: true,
      maxNewTokens: 9,
    });
    expect(loaded).toEqual([
      [
        'folder',
        { profile: 'paper', adapter: 'lora', maxPixels: 1000, fetch: { allowPrivate: ['10.0.0.0/8'] } },
      ],
    ]);
    expect(judged).toEqual([{ regime: 'hybrid', certainty: 0.8, constrained: true, maxNewTokens: 9 }]);
    const served = await ran(['safe.png'], {
      engine: 'openai',
      baseUrl: 'http://localhost:8000/v1',
      model: 'guard',
      prefix: 'vllm',
    });
    expect(served.loaded[0][0]).toEqual({
      engine: 'openai',
      baseURL: 'http://localhost:8000/v1',
      model: 'guard',
      prefix: 'vllm',
    });
  });

  it('judges images together as one item', async () => {
    const { out, judged } = await ran(['safe.png', 'broken2.png'], { together: true });
    expect(judged).toHaveLength(1);
    expect(out).toContain('safe.png + broken2.png  under  strict');
  });

  it('shows the verdicts of several images under several policies in a table', async () => {
    const { out } = await ran(['unsafe.png', 'safe.png'], { policy: ['lax', 'strict'] });
    expect(out.split('\n').slice(-6, -2)).toEqual([
      '            lax         strict',
      'unsafe.png  safe 0.031  unsafe 0.970',
      'safe.png    safe 0.031  safe 0.031',
      '',
    ]);
  });

  it('says once that images are cut down, unless the user chose so', async () => {
    const cut = await ran(['large.png', 'large.png']);
    expect(cut.err.match(/shown to the model at 5000 pixels at most/g)).toHaveLength(1);
    expect((await ran(['large.png'], { maxPixels: 5000 })).err).toBe('');
    expect(cut.out).not.toContain('pixels');
    expect((await ran(['large.png'])).out).toContain('shown   at 5000 pixels at most');
  });

  it.each<[JudgeArguments, RegExp]>([
    [{ baseUrl: 'http://x/v1' }, /--base-url is for a server; add --engine openai/],
    [{ prefix: 'vllm' }, /--prefix is for a server/],
    [{ engine: 'openai', model: 'x' }, /needs the address of its server: --base-url/],
    [{ engine: 'openai', baseUrl: 'http://x/v1' }, /needs --model NAME/],
  ])('refuses options that do not go together: %j', async (options, message) => {
    await expect(ran(['safe.png'], options)).rejects.toThrow(message);
  });

  it('refuses a command without policy or image, and does not hide our bugs', async () => {
    await expect(ran(['safe.png'], { policy: [] })).rejects.toThrow('name a policy file');
    await expect(ran([])).rejects.toThrow('name an image file, before --policy');
    await expect(ran(['bug.png'])).rejects.toThrow(TypeError);
  });
});

describe('a policy in words that the model was never trained on', () => {
  it('is noted on standard error, once a policy, without control codes', async () => {
    const { err, out } = await ran(['safe.png', 'safe.png'], { policy: ['strict', 'strange'] });
    expect(err.split('\n').filter((line) => line.startsWith('note: '))).toEqual([
      'note: never trained on [31mbeer',
    ]);
    expect(out).not.toContain('never trained');
  });
});

describe('judge --output', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'judge-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });
  const many = Array.from({ length: 21 }, (_, i) => `${i % 4 === 0 ? 'unsafe' : `picture ${i}`}.png`);
  const policy = ['lax', 'strict'];

  it.each(['jsonl', 'csv'])(
    'goes on after Ctrl-C and a torn row, and writes the same .%s',
    async (ending) => {
      const [whole, parted] = [join(folder, `whole.${ending}`), join(folder, `parted.${ending}`)];
      const first = await ran(many, { policy, output: whole });
      expect(first.code).toBe(EXIT.unsafe);
      expect(first.judged).toHaveLength(42);
      expect(first.out).toContain('36 safe, 6 unsafe');
      const stopped = await ran(many, { policy, output: parted }, 13);
      expect(stopped.code).toBe(EXIT.interrupted);
      expect(stopped.out).toContain('stopped after 13 of 42');
      expect(stopped.err).toContain('run the same command again to go on with');
      // Killed in the middle of a row.
      await writeFile(parted, `${await readFile(parted, 'utf8')}{"image":"half`);
      const resumed = await ran(many, { policy, output: parted });
      // The first batch stands whole; the second is judged again as a batch.
      expect(resumed.judged).toHaveLength(34);
      expect(resumed.code).toBe(EXIT.unsafe);
      expect(resumed.out).toContain('36 safe, 6 unsafe');
      expect(await readFile(parted, 'utf8')).toBe(await readFile(whole, 'utf8'));
      const again = await ran(many, { policy, output: parted });
      expect(again.judged).toEqual([]);
      expect(again.code).toBe(EXIT.unsafe);
    },
  );

  it('says which setting is another', async () => {
    const output = join(folder, 'settings.jsonl');
    await ran(['safe.png'], { output });
    await expect(ran(['safe.png'], { output, maxNewTokens: 5 })).rejects.toThrow(
      /was judged with another maxNewTokens \(null, now 5\)/,
    );
    await expect(ran(['safe.png'], { output, regime: 'fast' })).rejects.toThrow(/another regime \("reason"/);
    await expect(ran(['safe.png'], { output: join(folder, 'x.txt') })).rejects.toThrow(
      /ends with \.jsonl or/,
    );
    await writeFile(join(folder, 'mine.csv'), 'a,b\n1,2\n');
    await expect(ran(['safe.png'], { output: join(folder, 'mine.csv') })).rejects.toThrow(
      /line 1, was not written by safeguard judge/,
    );
    expect(await readFile(join(folder, 'mine.csv'), 'utf8')).toBe('a,b\n1,2\n');
  });

  it('keeps rows of one line whatever names are, and tame in spreadsheets', async () => {
    const output = join(folder, 'names.csv');
    const names = ['=cmd()', 'a\nSAFE,b.png', '"quoted".png', 'broken.png'];
    const { code } = await ran(names, { output });
    expect(code).toBe(EXIT.userError);
    const lines = (await readFile(output, 'utf8')).split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[1].startsWith("'=cmd(),")).toBe(true);
    expect(lines[4]).toContain('the image broken.png is damaged,invalid_image');
    expect((await ran(names, { output })).judged).toEqual([]);
  });
});

describe('forged lines', () => {
  it('of names and titles stay within their line', async () => {
    const name = 'x.png\nSAFE  P(unsafe) 0.001  y.png\r\u202e\u001b[2K\u2028z';
    for (const options of [{}, { json: true }]) {
      const { out } = await ran([name, 'unsafe.png'], options);
      expect(out).not.toMatch(/^SAFE {2}P\(unsafe\) 0\.001/mu);
      for (const code of ['\r', '\u202e', '\u001b', '\u2028']) expect(out).not.toContain(code);
    }
  });
});

describe('policies of judge', () => {
  it('are told apart by their files where titles are the same', async () => {
    const { out } = await ran(['unsafe.png', 'safe.png'], { policy: ['a/strict', 'b/strict'] });
    expect(out).toMatch(/under {2}strict \(a\/strict\)/);
    expect(out.split('\n').find((line) => /^ .*a\/strict/u.test(line))).toMatch(/a\/strict +b\/strict/);
  });

  it('are given in their own words, or on standard input', async () => {
    const { out } = await ran(['safe.png'], {
      policy: ['-'],
      policyText: ['No beer.', 'No wine.'],
      json: true,
    });
    const rows = out.split('\n').map((line) => JSON.parse(line) as { policyFile: string });
    expect(rows.map(({ policyFile }) => policyFile)).toEqual(['-', 'policy-text-1', 'policy-text-2']);
    await expect(ran(['-'], { policy: ['-'] })).rejects.toThrow(/standard input can be read once/);
  });
});
