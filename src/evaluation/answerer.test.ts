import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../images/image.js';
import type { Message } from '../models/qwen2_5_vl/chat.js';
import { type AnsweringModel, modelAnswerer } from './answerer.js';

const image: RgbImage = { width: 112, height: 112, data: new Uint8Array(3 * 112 * 112) };

/** Answers with the words of the prompt and the number of its pictures; remembers its batches. */
class Echo implements AnsweringModel<string> {
  readonly batches: string[][] = [];
  readonly limits: number[] = [];
  readonly processor = {
    encodeChat: ([{ content }]: readonly Message[]): string =>
      typeof content === 'string'
        ? content
        : content.map((part) => (part.type === 'text' ? part.text : '<image>')).join(' '),
    tokenizer: { decode: (ids: readonly number[]): string => String.fromCodePoint(...ids) },
  };

  generate(prompts: readonly string[], { maxNewTokens }: { readonly maxNewTokens: number }) {
    this.batches.push([...prompts]);
    this.limits.push(maxNewTokens);
    return Promise.resolve(
      prompts.map((prompt) => ({ tokens: Array.from(prompt, (c) => c.codePointAt(0) ?? 0) })),
    );
  }
}

describe('modelAnswerer', () => {
  it('batches by length, the picture counted, and answers in the order of the items', async () => {
    const model = new Echo();
    const counts: number[] = [];
    const answerer = modelAnswerer(model, { batchSize: 2, onAnswered: (count) => counts.push(count) });
    const items = [
      { image: null, prompt: 'one' },
      { image, prompt: 'two' },
      { image: null, prompt: 'one two three four' },
    ];
    expect(await answerer(items)).toEqual(['one', '<image> two', 'one two three four']);
    expect(model.batches).toEqual([['<image> two', 'one two three four'], ['one']]);
    expect(model.limits).toEqual([320, 320]);
    expect(counts).toEqual([2, 1]);
  });

  it('has nothing to say where the model says nothing, or is asked nothing', async () => {
    const answerer = modelAnswerer(new Echo());
    expect(await answerer([{ image: null, prompt: '' }])).toEqual(['']);
    expect(await answerer([])).toEqual([]);
  });
});
