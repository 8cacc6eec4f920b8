import { describe, expect, it } from 'vitest';
import type { EngineCompletion } from './engine.js';
import { asAsked, completionsOf as given, type Speaker, StreamedCompletion } from './openai-response.js';
import { withThought } from './thought.js';

const speaker: Speaker = { baseURL: 'http://x', quote: (words) => `: "${words}"`, hidden: (text) => text };
const completionsOf = (answer: unknown, topLogprobs = 20, maxNewTokens = 100): EngineCompletion[] =>
  given(answer, speaker).map((completion) => asAsked(completion, { topLogprobs, maxNewTokens }));

const token = (text: string) => ({
  token: text,
  logprob: -0.5,
  top_logprobs: [{ token: text, logprob: -0.5 }],
});
const body = (message: object, tokens: readonly string[] = []) => ({
  choices: [{ message, finish_reason: 'stop', logprobs: { content: tokens.map(token) } }],
});
const ANSWER = '<answer>no</answer>';
const WHOLE = `<think>A beer.</think>${ANSWER}`;

describe('a thought that the server took out of the answer', () => {
  it.each(['reasoning_content', 'reasoning'])(
    'is kept apart, and put before it where that is wanted: %s',
    (field) => {
      const [completion] = completionsOf(
        body({ content: ANSWER, [field]: 'A beer.' }, ['<answer>', 'no', '</answer>', '<|im_end|>']),
      );
      expect(completion).toMatchObject({ text: ANSWER, thought: 'A beer.' });
      expect(completion.tokens.map(({ text }) => text)).toEqual(['<answer>', 'no', '</answer>']);
      const whole = withThought(completion);
      expect(whole).not.toHaveProperty('thought');
      expect(whole.text).toBe(WHOLE);
      expect(whole.tokens.map(({ text }) => text)).toEqual([
        '<think>A beer.</think>',
        '<answer>',
        'no',
        '</answer>',
      ]);
    },
  );

  it('is left out of the tokens where they have it too, and absent where there is none', () => {
    for (const end of [[], ['<|im_end|>']]) {
      const pieces = ['<think>', 'A beer.', '</think>', '<answer>', 'no</answer>', ...end];
      const [whole] = completionsOf(body({ content: ANSWER, reasoning: 'A beer.' }, pieces));
      expect(whole.tokens.map(({ text }) => text)).toEqual(['<answer>', 'no</answer>']);
    }
    const [plain] = completionsOf(body({ content: WHOLE, reasoning: null }));
    expect(plain).toEqual({
      text: WHOLE,
      tokens: [],
      finishReason: 'stop',
      usage: { prompt: null, completion: null },
    });
    expect(withThought(plain)).toBe(plain);
  });

  it('comes in a stream as it is thought', () => {
    const stream = new StreamedCompletion(speaker);
    const pieces = [
      { reasoning_content: 'A ' },
      { reasoning_content: 'beer.' },
      { content: '<answer>' },
      { content: 'no</answer>' },
    ].map((delta) => stream.add({ choices: [{ delta }] }));
    expect(pieces.map(({ thought }) => thought)).toEqual(['A ', 'beer.', '', '']);
    expect(pieces.map(({ text }) => text)).toEqual(['', '', '<answer>', 'no</answer>']);
    stream.add({ choices: [{ delta: {}, finish_reason: 'stop' }] });
    expect(stream.completion()).toMatchObject({ text: ANSWER, thought: 'A beer.' });
  });

  it('that was cut off stays open', () => {
    const stream = new StreamedCompletion(speaker);
    stream.add({ choices: [{ delta: { reasoning: 'A be' }, finish_reason: 'length' }] });
    const completion = stream.completion();
    if (completion === null) throw new Error('the stream has ended');
    expect(withThought(asAsked(completion, { maxNewTokens: 4 }))).toMatchObject({
      text: '<think>A be',
      finishReason: 'length',
    });
  });
});

describe('side details of an answer', () => {
  const answer = (choice: object, more: object = {}) => ({
    choices: [{ index: 0, message: { content: 'safe' }, finish_reason: 'stop', ...choice }],
    ...more,
  });
  const reporting = (...content: unknown[]) => answer({ logprobs: { content } });
  const safe = { token: 'safe', logprob: -0.1 };

  it.each<[string, object]>([
    ['an index that is null', answer({ index: null })],
    ['an index of words', answer({ index: 'first' })],
    ['log-probabilities as a list', answer({ logprobs: [] })],
    ['log-probabilities as words', answer({ logprobs: 'none' })],
    ['no content of them', answer({ logprobs: { content: null } })],
    ['half a token', answer({}, { usage: { prompt_tokens: 5.5, completion_tokens: '3' } })],
    ['usage as a list', answer({}, { usage: [] })],
    ['less than no token', answer({}, { usage: { prompt_tokens: -1, completion_tokens: null } })],
    ['no error', answer({}, { error: null })],
    ['a token without a text', reporting({ logprob: -1 }, safe)],
    ['a token that is null', reporting(null)],
  ])('never cost the answer: %s', (_, wire) => {
    const [completion] = completionsOf(wire);
    expect(completion).toEqual({
      text: 'safe',
      tokens: [],
      finishReason: 'stop',
      usage: { prompt: null, completion: null },
    });
  });

  it('are left out where one alternative is empty', () => {
    const other = { token: 'unsafe', logprob: -3 };
    const [{ tokens }] = completionsOf(
      reporting({ ...safe, bytes: [1, 999], top_logprobs: [null, other, safe] }),
    );
    expect(tokens).toEqual([
      {
        text: 'safe',
        bytes: new TextEncoder().encode('safe'),
        logprob: -0.1,
        top: [
          { text: 'safe', logprob: -0.1 },
          { text: 'unsafe', logprob: -3 },
        ],
      },
    ]);
    // The empty one was the chosen token's.
    const [chosen] = completionsOf(reporting({ ...safe, top_logprobs: [other, null] }));
    expect(chosen.tokens[0].top.map(({ text }) => text)).toEqual(['safe', 'unsafe']);
  });

  it.each([800, 0.5, 'NaN', '-1', null, {}])('are no log-probability: %o', (logprob) => {
    const [{ tokens }] = completionsOf(reporting({ token: 'safe', logprob, top_logprobs: [safe] }));
    expect(tokens[0]).toMatchObject({ logprob: -Infinity, top: [{ text: 'safe', logprob: -0.1 }] });
    const doubtful = [safe, { token: 'unsafe', logprob }];
    const [{ tokens: others }] = completionsOf(reporting({ ...safe, top_logprobs: doubtful }));
    expect(others[0]).toMatchObject({ logprob: -0.1, top: [] });
    const [rounded] = completionsOf(reporting({ token: 'safe', logprob: 1e-7 }));
    expect(rounded.tokens[0].logprob).toBe(0);
  });

  it('of a stream are passed over alike', () => {
    const stream = new StreamedCompletion(speaker);
    stream.add({ choices: [{ delta: null }] });
    stream.add({
      choices: [{ index: null, delta: { content: [{ type: 'text', text: 'sa' }] }, logprobs: [] }],
    });
    stream.add({
      choices: [{ delta: { content: 'fe' }, logprobs: { content: [null] }, finish_reason: 'eos' }],
    });
    stream.add({ choices: null, usage: { prompt_tokens: 7, completion_tokens: 2.5 } });
    expect(stream.completion()).toMatchObject({
      text: 'safe',
      tokens: [],
      reported: true,
      usage: { prompt: 7, completion: null },
    });
  });
});

describe('the words of an answer', () => {
  const message = (content: unknown, more: object = {}) => ({
    choices: [{ message: { content, ...more }, finish_reason: 'stop' }],
  });

  it('may come as a list of parts', () => {
    const parts = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'A ' }, 'beer.'] },
      { type: 'text', text: 'un' },
      'sa',
      { type: 'output_text', text: 'fe' },
    ];
    expect(completionsOf(message(parts))[0]).toMatchObject({ text: 'unsafe', thought: 'A beer.' });
    expect(completionsOf(message([]))[0].text).toBe('');
  });

  it.each([
    ['number', 5],
    ['object', { text: 'safe' }],
    ['part of another kind', [{ type: 'image_url', text: 'safe' }]],
    ['part without words', [{ type: 'text' }]],
    ['null in the list', [null]],
  ])('are no %s', (_, content) => {
    expect(() => completionsOf(message(content))).toThrow(
      /no chat completion \(choices\.0\.message\.content\)/,
    );
  });

  it('that decline are no answer', () => {
    expect(() => completionsOf(message(null, { refusal: 'I cannot see it.' }))).toThrow(
      /declines to answer: "I cannot/,
    );
    expect(() => completionsOf(message([{ type: 'refusal', refusal: 'No.' }]))).toThrow(
      /declines to answer: "No\."/,
    );
    expect(completionsOf(message('safe', { refusal: null }))[0].text).toBe('safe');
  });

  const ended = (finish_reason: unknown, usage?: object) => ({
    choices: [{ message: { content: 'safe' }, finish_reason }],
    usage,
  });
  it.each(['length', 'max_tokens', 'MAX_TOKENS', 'max_length', 'model_length', 'max_output_tokens'])(
    'are cut off where they end by %s',
    (reason) => {
      expect(completionsOf(ended(reason))[0].finishReason).toBe('length');
    },
  );
  it.each(['stop', 'eos', 'eos_token', 'stop_sequence', 'end_turn', null, undefined])(
    'are whole: %s',
    (reason) => {
      expect(completionsOf(ended(reason))[0].finishReason).toBe('stop');
    },
  );
  it('are cut off where nothing is said and no token was left', () => {
    const [completion] = completionsOf(ended(null, { completion_tokens: 100 }));
    expect(completion.finishReason).toBe('length');
  });
  it.each(['content_filter', 'tool_calls', 'abort', 'error', 'SAFETY', 'toString', { type: 'x' }])(
    'are in doubt where they end by %o',
    (reason) => {
      expect(() => completionsOf(ended(reason))).toThrow(
        /holds the answer back|reason that leaves it in doubt: "/,
      );
    },
  );
});
