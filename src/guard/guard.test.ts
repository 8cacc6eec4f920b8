import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { pixelsOf } from '../engines/pictures.js';
import { encodePng } from '../images/png.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { FakeEngine, type Script } from './fake-engine.test-util.js';
import { DEFAULT_MAX_NEW_TOKENS, Guard, type ImageSource, verdictsOf } from './guard.js';
import { profileNamed } from './profiles/index.js';

const image = { width: 2, height: 1, data: new Uint8Array(6) };
const noBeer = Policy.fromMarkdown('No beer.', { name: 'strict' });
const anything = Policy.fromMarkdown('Anything goes.');
const byPolicy = (prompt: string): Script =>
  prompt.includes('No beer')
    ? { text: '<think>A beer.</think><answer>no</answer>', unsafe: 0.9 }
    : { text: '<think>A beer.</think><answer>yes</answer>', unsafe: 0.2 };

describe('Guard.judge', () => {
  it('gives a verdict with all that led to it', async () => {
    const model = new FakeEngine(byPolicy);
    const verdict = await new Guard(model, profileNamed('paper')).judge(image, noBeer);
    expect(verdict).toMatchObject({
      label: 'unsafe',
      category: null,
      violatedRule: null,
      reasoning: 'A beer.',
      raw: '<think>A beer.</think><answer>no</answer>',
      problem: null,
      model: model.identity,
      regime: 'reason',
      maxPixels: null,
      policy: { id: noBeer.id, title: 'strict' },
      profile: 'paper',
      finishReason: 'stop',
    });
    expect(verdict.probability).toBeCloseTo(0.9, 6);
    expect(verdict.tokens.completion).toBe(19);
    expect(verdict.tokens.prompt).toBeGreaterThan(100);
    const { image: decode, generate, total } = verdict.timings;
    expect(total).toBeGreaterThanOrEqual(decode + generate);
    expect(Math.min(decode, generate)).toBeGreaterThanOrEqual(0);
    expect(model.batches[0].settings).toEqual({ maxNewTokens: DEFAULT_MAX_NEW_TOKENS, topLogprobs: 20 });
  });

  it('judges by the policy that is given', async () => {
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('paper'));
    expect((await guard.judge(image, 'No beer.')).label).toBe('unsafe');
    expect((await guard.judge(image, 'Anything goes.')).label).toBe('safe');
    expect((await guard.judge(await encodePng(image), anything)).label).toBe('safe');
  });

  it('gives no probability to an answer that cannot be read', async () => {
    const guard = new Guard(new FakeEngine(() => ({ text: 'It is safe, yes.' })), profileNamed('paper'));
    expect(await guard.judge(image, noBeer)).toMatchObject({
      label: 'invalid',
      probability: null,
      problem: { kind: 'unreadable', message: 'the answer has no <answer>' },
    });
  });

  it('says where the token limit cut an answer off', async () => {
    const model = new FakeEngine(() => ({ text: '<think>A', finishReason: 'length' }));
    const verdict = await new Guard(model, profileNamed('paper')).judge(image, noBeer, { maxNewTokens: 2 });
    expect(verdict.problem).toEqual({
      kind: 'truncated',
      message: 'the answer was cut off after 4 tokens; allow more',
    });
    expect(model.batches[0].settings.maxNewTokens).toBe(2);
  });

  it.each([
    [
      { width: 2, height: 2, data: new Uint8Array(6) },
      {},
      'an image of 2×2 has 12 bytes of RGB, and 6 were given',
    ],
    [{ width: 0, height: 2, data: new Uint8Array(0) }, {}, 'width and height must be whole numbers from 1'],
    ['/nowhere/x.png', {}, '/nowhere/x.png'],
    [new Uint8Array(0), {}, 'is empty'],
    [[], {}, 'there is no image to judge; give at least one'],
    [Array(101).fill(image), {}, '101 images are too many for one item; give at most 100'],
    ['http://127.0.0.1/x.png', {}, 'private or special network'],
    [image, { regime: 'slow' as 'fast' }, 'there is no regime "slow"; choose one of reason, fast, hybrid'],
    [image, { certainty: 0.2 }, 'certainty must lie from 0.5 to 1, and 0.2 was given'],
    [image, { maxNewTokens: 0 }, 'maxNewTokens must be a whole number from 1, and 0 was given'],
  ])('refuses what cannot be judged (%#)', async (source, options, message) => {
    const judging = new Guard(new FakeEngine(byPolicy), profileNamed('paper')).judge(
      source as ImageSource,
      noBeer,
      options,
    );
    await expect(judging).rejects.toThrow(UserError);
    await expect(judging).rejects.toThrow(message);
  });
});

describe('Guard.judgeAll', () => {
  it('keeps the order over batches', async () => {
    const model = new FakeEngine(byPolicy);
    const guard = new Guard(model, profileNamed('paper'));
    const policies = [noBeer, anything, anything, noBeer, anything];
    const judgements = policies.map((policy) => ({ image, policy }));
    const verdicts = await verdictsOf(guard.judgeAll(judgements, { batchSize: 2 }));
    expect(verdicts.map(({ label }) => label)).toEqual(['unsafe', 'safe', 'safe', 'unsafe', 'safe']);
    expect(model.batches.map(({ chats }) => chats.length)).toEqual([2, 2, 1]);
  });

  it('of one that cannot be read costs itself alone', async () => {
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('paper'));
    const images = [image, '/nowhere/x.png', image, new Uint8Array(5), image];
    const seen: string[] = [];
    const judgements = images.map((one) => ({ image: one, policy: noBeer }));
    for await (const { index, verdict, error } of guard.judgeAll(judgements, { batchSize: 3 })) {
      seen.push(`${index} ${error === null ? verdict.label : error.code}`);
    }
    expect(seen).toEqual(['0 unsafe', '1 not_found', '2 unsafe', '3 unsupported', '4 unsafe']);
  });

  it('of one that cannot be answered costs itself alone', async () => {
    const engine = new FakeEngine((prompt) => {
      if (prompt.includes('Anything')) throw new UserError('the prompt is too long', { code: 'too_large' });
      return byPolicy(prompt);
    });
    const guard = new Guard(engine, profileNamed('paper'));
    const judged = [];
    const judgements = [noBeer, anything, noBeer].map((policy) => ({ image, policy }));
    for await (const one of guard.judgeAll(judgements)) judged.push(one);
    expect(judged.map(({ verdict, error }) => verdict?.label ?? error?.message)).toEqual([
      'unsafe',
      'the prompt is too long',
      'unsafe',
    ]);
  });

  it('takes from an endless stream only what it needs', async () => {
    let taken = 0;
    let closed = false;
    async function* endless() {
      try {
        for (;;) {
          taken += 1;
          yield { image, policy: noBeer };
        }
      } finally {
        closed = true;
      }
    }
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('paper'));
    let got = 0;
    for await (const { error } of guard.judgeAll(endless(), { batchSize: 2 })) {
      expect(error).toBeNull();
      got += 1;
      if (got === 6) break;
    }
    expect(closed).toBe(true);
    expect(taken).toBeLessThanOrEqual(12);
  });

  it('works on as many at once as the engine does, in order', async () => {
    let [now, most] = [0, 0];
    class Served extends FakeEngine {
      readonly concurrency = 4;
      override async completeAll(...args: Parameters<FakeEngine['completeAll']>) {
        now += 1;
        most = Math.max(most, now);
        const answers = await super.completeAll(...args);
        for (let wait = 0; wait < 10; wait++) await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        return answers;
      }
    }
    const guard = new Guard(new Served(byPolicy), profileNamed('paper'));
    const judgements = Array.from({ length: 40 }, (_, i) => ({
      image: { ...image, data: new Uint8Array(6).fill(i) },
      policy: i % 3 === 0 ? noBeer : anything,
    }));
    const verdicts = await verdictsOf(guard.judgeAll(judgements));
    expect(verdicts.map(({ label }) => label)).toEqual(
      judgements.map(({ policy }) => (policy === noBeer ? 'unsafe' : 'safe')),
    );
    expect(most).toBe(4);
  });

  it('ends with the reason of its signal', async () => {
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('paper'));
    const control = new AbortController();
    const judged = guard.judgeAll(
      Array.from({ length: 20 }, () => ({ image, policy: noBeer })),
      { batchSize: 2, signal: control.signal },
    );
    await judged.next();
    control.abort(new Error('enough'));
    await expect(verdictsOf(judged)).rejects.toThrow('enough');
  });

  it('gives the engine one object for one content, whoever holds it', async () => {
    const engine = new FakeEngine(byPolicy);
    const guard = new Guard(engine, profileNamed('paper'));
    const shown = (): unknown[] =>
      engine.batches.flatMap(({ chats }) =>
        chats.flatMap((chat) =>
          chat.flatMap(({ content }) =>
            typeof content === 'string'
              ? []
              : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
          ),
        ),
      );
    const own = { width: 2, height: 1, data: new Uint8Array([1, 2, 3, 4, 5, 6]) };
    const png = await encodePng(own);
    for (const policy of [noBeer, anything]) {
      await guard.judge(own, policy);
      await guard.judge({ ...own, data: own.data.slice() }, policy);
      await guard.judge(png, policy);
      await guard.judge(new Blob([Buffer.from(png)]), policy, { regime: 'fast' });
    }
    const images = shown();
    expect(images).toHaveLength(8);
    expect(new Set(images).size).toBe(2);
    // Pixels that their owner changes are other pixels.
    own.data[0] = 9;
    await guard.judge(own, noBeer);
    expect(new Set(shown()).size).toBe(3);
  });

  it('of nothing asks nothing', async () => {
    const model = new FakeEngine(byPolicy);
    expect(await verdictsOf(new Guard(model, profileNamed('paper')).judgeAll([]))).toEqual([]);
    expect(model.batches).toEqual([]);
  });
});

/** The first pass says how likely unsafe is; only where it is unsure is the reasoning asked for. */
const hybridScript =
  (unsafe: number) =>
  (_: string, { maxNewTokens }: { readonly maxNewTokens: number }): Script =>
    maxNewTokens === 2
      ? { text: unsafe > 0.5 ? '>no' : '>yes', unsafe, finishReason: 'length' }
      : { text: '<think>A beer.</think><answer>no</answer>', unsafe: 0.8 };

describe('regimes', () => {
  const paper = profileNamed('paper');

  it('fast is the word behind the prefix, without reasoning', async () => {
    const engine = new FakeEngine(hybridScript(0.7));
    const verdict = await new Guard(engine, paper).judge(image, noBeer, { regime: 'fast' });
    expect(verdict).toMatchObject({ label: 'unsafe', reasoning: '', regime: 'fast', problem: null });
    expect(verdict.probability).toBeCloseTo(0.7, 9);
    expect(engine.batches.map(({ settings }) => settings)).toEqual([
      { maxNewTokens: 2, topLogprobs: 20, prefix: '<answer' },
    ]);
  });

  it.each([
    [0.95, 'fast', 1],
    [0.03, 'fast', 1],
    [0.85, 'reason', 2],
    [0.4, 'reason', 2],
  ] as const)('hybrid at %f answers by %s', async (unsafe, regime, batches) => {
    const engine = new FakeEngine(hybridScript(unsafe));
    const verdict = await new Guard(engine, paper).judge(image, noBeer, { regime: 'hybrid' });
    expect(verdict.regime).toBe(regime);
    expect(engine.batches).toHaveLength(batches);
    expect(verdict.probability).toBeCloseTo(regime === 'fast' ? unsafe : 0.8, 9);
  });

  it('hybrid takes the certainty that is asked for, and reasons about the unsure alone', async () => {
    const engine = new FakeEngine((prompt, { maxNewTokens }) =>
      maxNewTokens === 2
        ? { text: '>no', unsafe: prompt.includes('No beer') ? 0.99 : 0.6 }
        : { text: '<think>x</think><answer>yes</answer>', unsafe: 0.1 },
    );
    const guard = new Guard(engine, paper);
    const verdicts = await guard.judgeMany(image, [noBeer, anything, noBeer], { regime: 'hybrid' });
    expect(verdicts.map(({ regime, label }) => `${regime} ${label}`)).toEqual([
      'fast unsafe',
      'reason safe',
      'fast unsafe',
    ]);
    expect(engine.batches.map(({ chats }) => chats.length)).toEqual([3, 1]);
    const lax = await guard.judge(image, anything, { regime: 'hybrid', certainty: 0.55 });
    expect(lax.regime).toBe('fast');
  });

  it('fast goes by the word itself where a server reports no probabilities', async () => {
    const engine = new FakeEngine(() => ({ text: '> No', logprobs: false }));
    const verdict = await new Guard(engine, paper).judge(image, noBeer, { regime: 'fast' });
    expect(verdict).toMatchObject({ label: 'unsafe', probability: null });
  });

  it('fast is invalid where the first word is no verdict', async () => {
    const engine = new FakeEngine(() => ({ text: 'Perhaps' }));
    const verdict = await new Guard(engine, paper).judge(image, noBeer, { regime: 'fast' });
    expect(verdict).toMatchObject({
      label: 'invalid',
      probability: null,
      problem: { kind: 'unreadable', message: 'the first word of the answer is no verdict' },
    });
  });

  it('fast is refused for a family that always reasons', async () => {
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('guardreasoner'));
    await expect(guard.judge(image, noBeer, { regime: 'fast' })).rejects.toThrow(
      /guardreasoner has no answer that can be had at once; take the regime reason/,
    );
  });

  it('holds answers to the grammar of their policy, if asked to', async () => {
    const engine = new FakeEngine(() => ({ text: 'safe', words: ['safe', 'unsafe'] }));
    const guard = new Guard(engine, profileNamed('llama-guard'));
    await guard.judgeMany(image, [noBeer, anything, noBeer], { constrained: true });
    expect(engine.batches.map(({ chats, settings }) => [chats.length, settings.grammar])).toEqual([
      [2, '(safe|unsafe\\n(S1)(,(S1))*)'],
      [1, '(safe|unsafe\\n(S1)(,(S1))*)'],
    ]);
  });

  it('hands the reasoning on as it is written', async () => {
    const pieces: string[] = [];
    const guard = new Guard(new FakeEngine(byPolicy), paper);
    const { raw } = await guard.judge(image, noBeer, { onText: (text) => pieces.push(text) });
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toBe(raw);
  });
});

describe('pictures', () => {
  const large = { width: 560, height: 560, data: new Uint8Array(560 * 560 * 3) };
  const seen = async ({ batches }: FakeEngine): Promise<string[]> => {
    const parts = batches[0].chats[0].flatMap(({ content }) => (typeof content === 'string' ? [] : content));
    const images = parts.flatMap((part) => (part.type === 'image' ? [part.image] : []));
    const pixels = await Promise.all(images.map((one) => pixelsOf(one)));
    return pixels.map(({ width, height }) => `${width}×${height}`);
  };

  it('of one item are judged together', async () => {
    const engine = new FakeEngine(byPolicy);
    await new Guard(engine, profileNamed('paper')).judge([image, await encodePng(image)], noBeer);
    expect(await seen(engine)).toEqual(['2×1', '2×1']);
  });

  it('are cut down to what the user allows, and the verdict says so', async () => {
    const engine = new FakeEngine(byPolicy);
    const guard = new Guard(engine, profileNamed('paper'), { maxPixels: 100_000 });
    const verdict = await guard.judge([large, image], noBeer);
    expect(await seen(engine)).toEqual(['308×308', '2×1']);
    expect(verdict.maxPixels).toBe(100_000);
    expect((await guard.judge(image, noBeer)).maxPixels).toBeNull();
  });

  it('are cut down so that a verdict takes a minute, where the engine knows its pace', async () => {
    // 0.25 s a token: 240 of 400 tokens fit into a minute.
    const engine = new FakeEngine(byPolicy, async () => (tokens) => tokens / 4);
    const verdict = await new Guard(engine, profileNamed('paper')).judge(large, noBeer);
    expect(verdict.maxPixels).toBe(240 * 28 * 28);
    const [size] = await seen(engine);
    const [width, height] = size.split('×').map(Number);
    expect(width * height).toBeLessThanOrEqual(240 * 28 * 28);
    const fast = new FakeEngine(byPolicy, async () => () => 1);
    expect((await new Guard(fast, profileNamed('paper')).judge(large, noBeer)).maxPixels).toBeNull();
    expect(await seen(fast)).toEqual(['560×560']);
  });

  it('refuses a limit that is none', () => {
    expect(() => new Guard(new FakeEngine(byPolicy), profileNamed('paper'), { maxPixels: 0 })).toThrow(
      /maxPixels must be a whole number from 1/,
    );
  });
});

describe('Guard.ask', () => {
  it('puts the images before the question and gives the answer as it comes', async () => {
    const engine = new FakeEngine((prompt) => ({ text: `You asked: ${prompt}` }));
    const pieces: string[] = [];
    const reply = await new Guard(engine, profileNamed('paper')).ask(image, 'What is it?', {
      onText: (text) => pieces.push(text),
    });
    expect(reply).toMatchObject({ text: 'You asked: [image]What is it?', finishReason: 'stop' });
    expect(pieces.join('')).toBe(reply.text);
  });

  it('takes several turns and several images', async () => {
    const engine = new FakeEngine((prompt) => ({ text: prompt }));
    const { text } = await new Guard(engine, profileNamed('paper')).ask(
      [image, image],
      [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'First?' },
        { role: 'assistant', content: 'One.' },
        { role: 'user', content: 'Second?' },
      ],
    );
    expect(text).toBe('Be brief.\n[image][image]First?\nOne.\nSecond?');
  });

  it('needs a question', async () => {
    const asking = new Guard(new FakeEngine(byPolicy), profileNamed('paper')).ask(image, []);
    await expect(asking).rejects.toThrow('the chat must end with a turn of the user');
  });
});

describe('Guard.load', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'guard-'));
    await cp('test/goldens/checkpoints/tied', folder, { recursive: true });
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });
  const profileOf = async (options = {}): Promise<string> => {
    const guard = await Guard.load(folder, options);
    await guard.dispose();
    return guard.profile.name;
  };

  it('takes the paper profile for a folder that names none', async () => {
    expect(await profileOf()).toBe('paper');
  });

  it("knows a family by the model's own name", async () => {
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
    const named = JSON.stringify({ ...config, _name_or_path: 'AIML-TUDA/QwenGuard-v1.2-3B' });
    await writeFile(join(folder, 'config.json'), named);
    expect(await profileOf()).toBe('llavaguard');
  });

  it('takes the profile of guard.json, unless another is asked for', async () => {
    await writeFile(join(folder, 'guard.json'), '{"profile": "iconworld"}');
    expect(await profileOf()).toBe('iconworld');
    expect(await profileOf({ profile: 'yes-no' })).toBe('yes-no');
  });

  it.each([
    ['{', 'guard.json is not understood; it should be like {"profile": "paper"}'],
    ['[]', 'guard.json is not understood'],
    ['{"profile": 3}', 'guard.json is not understood'],
    [
      '{"profile": "llama"}',
      'there is no profile "llama"; give a file of your own, or choose one of: card (',
    ],
  ])('refuses %s', async (json, message) => {
    await writeFile(join(folder, 'guard.json'), json);
    await expect(Guard.load(folder)).rejects.toThrow(UserError);
    await expect(Guard.load(folder)).rejects.toThrow(message);
  });

  it('knows the family of a model behind a server, which takes no adapter', async () => {
    const server = {
      engine: 'openai',
      baseURL: 'http://localhost:1/v1',
      model: 'x/PolicyShiftGuard-7B',
    } as const;
    const guard = await Guard.load(server);
    expect(guard.profile.name).toBe('policyshift');
    await guard.dispose();
    await expect(Guard.load(server, { adapter: 'x' })).rejects.toThrow(/cannot be given to a server/);
  });

  it('names the engines there are', async () => {
    const other = { engine: 'vllm', baseURL: 'http://localhost:1/v1', model: 'x' };
    await expect(Guard.load(other as never)).rejects.toThrow(/there is no engine "vllm"; give 'openai'/);
  });

  it('waits for the verdict under way before it frees the model, and takes no more', async () => {
    const engine = new FakeEngine(byPolicy);
    const guard = new Guard(engine, profileNamed('paper'));
    const judging = guard.judge('test/goldens/images/rgb-20x11.png', noBeer);
    await guard.dispose();
    expect((await judging).label).toBe('unsafe');
    await expect(guard.judge(image, noBeer)).rejects.toMatchObject({ code: 'closed' });
    await expect(guard.ask(image, 'What?')).rejects.toMatchObject({ code: 'closed' });
    await expect(guard.judgeAll([{ image, policy: noBeer }]).next()).rejects.toMatchObject({
      code: 'closed',
    });
  });

  it('knows its options', async () => {
    const guard = new Guard(new FakeEngine(byPolicy), profileNamed('paper'));
    const wrong = { max_new_tokens: 5 } as object;
    await expect(guard.judge(image, noBeer, wrong)).rejects.toThrow(
      'judge has no option "max_new_tokens"; did you mean "maxNewTokens"?',
    );
    await expect(guard.judgeMany(image, [noBeer], { batchsize: 3 } as object)).rejects.toThrow(/"batchSize"/);
    await expect(guard.ask(image, 'What?', { topp: 1 } as object)).rejects.toThrow(/"topP"/);
    await expect(Guard.load(undefined, { profil: 'paper' } as object)).rejects.toThrow(/"profile"/);
    expect(() => new Guard(guard.engine, guard.profile, { pixels: 3 } as object)).toThrow(
      'Guard has no option "pixels"; there are maxPixels, fetch',
    );
  });

  it('frees the model', async () => {
    const engine = new FakeEngine(byPolicy);
    await new Guard(engine, profileNamed('paper')).dispose();
    expect(engine.closed).toBe(true);
  });

  it('has its own model at the root of the package', () => {
    expect(EMBEDDED_MODEL).toMatch(/models[/\\]safeguard-vl-tiny$/);
  });
});
