import { afterAll, describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { LocalEngine } from '../engines/local.js';
import { OpenAIEngine } from '../engines/openai.js';
import { standIn } from '../engines/stand-in-server.test-util.js';
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import { FakeEngine, type Script } from './fake-engine.test-util.js';
import { Guard } from './guard.js';
import { card } from './profiles/card.js';
import type { GuardProfile } from './profile.js';

const image = { width: 2, height: 1, data: new Uint8Array(6) };
const policy = Policy.fromMarkdown('No weapons.');
const OPEN = 'It is safe to assume that the object is a gun. Guns are forbidden.';
const NOWHERE = { fast: undefined, scores: undefined };

/** Writes free text first, and `second` when it is asked for the verdict. */
const answering =
  (second: Script, first: Script = { text: OPEN }) =>
  (prompt: string, { prefix }: { readonly prefix?: string }): Script =>
    prefix !== undefined || prompt.includes('answer with one word') ? second : first;
const words = ['Safe', 'Unsafe'] as const;

describe('a verdict that free text leaves open', () => {
  it('is weighed between the words behind the family’s closing words, where the engine can score', async () => {
    const engine = new FakeEngine(answering({ text: '' }), NOWHERE.fast, {
      ' Safe': Math.log(0.1),
      ' safe': Math.log(0.1),
      ' Unsafe': Math.log(0.4),
      ' UNSAFE': Math.log(0.2),
    });
    const verdict = await new Guard(engine, card).judge(image, policy);
    expect(verdict).toMatchObject({
      label: 'unsafe',
      asked: true,
      problem: null,
      raw: OPEN,
      reasoning: OPEN,
    });
    expect(verdict.probability).toBeCloseTo(0.75, 6);
    expect(engine.scored).toHaveLength(1);
    expect(engine.scored[0].settings.prefix).toBe(`${OPEN}\n\nFinal judgment:`);
  });

  it('is the next word of an answer that is begun with them, where the server goes on from one', async () => {
    const engine = new FakeEngine(answering({ text: ' Unsafe', unsafe: 0.8, words }));
    const verdict = await new Guard(engine, card).judge(image, policy);
    expect(verdict).toMatchObject({ label: 'unsafe', asked: true, problem: null, raw: OPEN });
    expect(verdict.probability).toBeCloseTo(0.8, 6);
    expect(engine.batches[1].settings).toMatchObject({
      prefix: `${OPEN}\n\nFinal judgment:`,
      topLogprobs: 20,
    });
    // Both requests are counted.
    expect(verdict.tokens.completion).toBeGreaterThan(engine.batches.length);
  });

  it('is the one word of another turn, where it does not', async () => {
    const engine = new FakeEngine(
      answering({ text: 'Safe.', unsafe: 0.3, words }),
      NOWHERE.fast,
      NOWHERE.scores,
      {
        prefix: false,
      },
    );
    const verdict = await new Guard(engine, card).judge(image, policy);
    expect(verdict).toMatchObject({ label: 'safe', asked: true });
    expect(verdict.probability).toBeCloseTo(0.3, 6);
    const [chat] = engine.batches[1].chats;
    expect(chat.slice(-2)).toEqual([
      { role: 'assistant', content: OPEN },
      { role: 'user', content: 'Final judgment: answer with one word, Safe or Unsafe.' },
    ]);
  });

  it('is had without log-probabilities too', async () => {
    const engine = new FakeEngine(answering({ text: ' unsafe', logprobs: false }));
    expect(await new Guard(engine, card).judge(image, policy)).toMatchObject({
      label: 'unsafe',
      probability: null,
      asked: true,
    });
  });

  it.each([
    [
      'weights that no verdict word has',
      new FakeEngine(answering({ text: '' }), undefined, { ' Safe': -20 }),
    ],
    ['a sentence', new FakeEngine(answering({ text: ' I cannot tell.' }))],
    ['a word that only begins like one', new FakeEngine(answering({ text: ' Safely' }))],
    ['nothing', new FakeEngine(answering({ text: '' }))],
    [
      'a turn of more than a word',
      new FakeEngine(answering({ text: 'Safe, I think' }), undefined, undefined, { prefix: false }),
    ],
  ])('stays open and invalid where the model answers with %s', async (_, engine) => {
    const verdict = await new Guard(engine, card).judge(image, policy);
    expect(verdict).toMatchObject({ label: 'invalid', probability: null, asked: true });
    expect(verdict.problem).toEqual({
      kind: 'undecided',
      message: expect.stringMatching(/no line that is its judgment alone, and the model gave none/u),
    });
  });

  it('is invalid with the reason where the engine refuses to be asked', async () => {
    const engine = new FakeEngine((_, { prefix }) => {
      if (prefix !== undefined) throw new UserError('the prompt is too long');
      return { text: OPEN };
    });
    const { label, asked, problem } = await new Guard(engine, card).judge(image, policy);
    expect([label, asked]).toEqual(['invalid', false]);
    expect(problem?.message).toContain('the model could not be asked for it: the prompt is too long');
  });

  it('ends with the caller’s signal', async () => {
    const left = new AbortController();
    const engine = new FakeEngine((_, { prefix }) => {
      if (prefix === undefined) return { text: OPEN };
      left.abort(new Error('the caller left'));
      throw left.signal.reason;
    });
    const judging = new Guard(engine, card).judge(image, policy, { signal: left.signal });
    await expect(judging).rejects.toThrow('the caller left');
  });

  it('is not asked for where the answer was cut off, read there as safe or not', async () => {
    for (const text of [OPEN, 'A beer.\nFinal judgment: Safe']) {
      const engine = new FakeEngine(answering({ text: ' Safe' }, { text, finishReason: 'length' }));
      const verdict = await new Guard(engine, card).judge(image, policy);
      expect(verdict).toMatchObject({ label: 'invalid', probability: null, asked: false });
      expect(verdict.problem?.kind).toBe('truncated');
      expect(engine.batches).toHaveLength(1);
    }
  });

  it('is asked for in those answers of a batch alone that leave it open', async () => {
    const engine = new FakeEngine((prompt, settings) =>
      prompt.includes('No weapons')
        ? answering({ text: ' Unsafe', words })(prompt, settings)
        : { text: 'A gun.\nFinal judgment: Safe', words },
    );
    const verdicts = await new Guard(engine, card).judgeMany(image, [policy, 'Anything goes.', policy]);
    expect(verdicts.map(({ label, asked }) => [label, asked])).toEqual([
      ['unsafe', true],
      ['safe', false],
      ['unsafe', true],
    ]);
  });

  it('of a family with a format is never asked for', async () => {
    const withFormat: GuardProfile = { ...card, closing: undefined };
    const engine = new FakeEngine(answering({ text: ' Unsafe' }));
    expect((await new Guard(engine, withFormat).judge(image, policy)).label).toBe('invalid');
    expect(engine.batches).toHaveLength(1);
  });
});

/** The embedded model reasons in its own way; here its reasoning counts as free text that it closes as it was trained to. */
const reasoning: GuardProfile = {
  ...card,
  messages: (images, { statements }) => [
    {
      role: 'user',
      content: [
        ...images.map((one) => ({ type: 'image' as const, image: one })),
        { type: 'text', text: statements.map((text, i) => ` [${i + 1}] "${text}"`).join('\n') },
      ],
    },
  ],
  read: (raw) => card.read(raw.replaceAll(/<[^>]*>/gu, ' '), policy),
};

describe('asking real weights', async () => {
  const local = await LocalEngine.load(EMBEDDED_MODEL);
  const server = await standIn(local);
  const begun = new OpenAIEngine({ baseURL: server.baseURL, model: 'tiny', prefix: 'vllm' });
  const turns = new OpenAIEngine({ baseURL: server.baseURL, model: 'tiny' });
  afterAll(async () => {
    await Promise.all([begun.close(), turns.close()]);
    await server.close();
    await local.close();
  });

  it('gives the local engine’s weights of the words behind the reasoning, and they follow from it', async () => {
    // One token holds the tag's end and the word.
    const closing = { prefix: '</think><answer', words: { safe: ['>yes'], unsafe: ['>no'] } };
    // A model that leaves off behind its reasoning; what is asked and weighed is the weights' own.
    const leavesOff = new Proxy(local, {
      get: (engine, name) => {
        if (name !== 'completeAll') {
          const value: unknown = Reflect.get(engine, name);
          return typeof value === 'function' ? value.bind(engine) : value;
        }
        return async (...given: Parameters<LocalEngine['completeAll']>) =>
          (await engine.completeAll(...given)).map((completion) => ({
            ...completion,
            text: completion.text.replace(/<\/think>.*$/su, ''),
          }));
      },
    });
    const guard = new Guard(leavesOff, {
      ...reasoning,
      closing,
      read: (raw) => card.read(raw.slice(1), policy),
    });
    const banned = await guard.judge('examples/museum-knife.png', policy);
    expect(banned).toMatchObject({ label: 'unsafe', asked: true, problem: null });
    expect(banned.probability).toBeGreaterThan(0.9);
    const allowed = await guard.judge('examples/museum-knife.png', 'Weapons are allowed only in a museum.');
    expect(allowed).toMatchObject({ label: 'safe', asked: true, problem: null });
    expect(allowed.probability).toBeLessThan(0.1);
  });

  it('sends a server one short request more, and never takes its silence for a verdict', async () => {
    for (const [engine, isBegun] of [
      [begun, true],
      [turns, false],
    ] as const) {
      const before = server.requests.length;
      const verdict = await new Guard(engine, reasoning).judge('examples/museum-knife.png', policy, {
        maxNewTokens: 200,
      });
      const [first, second, ...others] = server.requests.slice(before);
      expect(others).toEqual([]);
      expect(second.max_tokens).toBeLessThan(first.max_tokens / 10);
      expect(second.messages.length).toBe(first.messages.length + (isBegun ? 1 : 2));
      expect(second.continue_final_message === true).toBe(isBegun);
      // The embedded model has never seen the card's closing words.
      expect(verdict).toMatchObject({ label: 'invalid', asked: true });
    }
  });
});
