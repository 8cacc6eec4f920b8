import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { LoadedModel } from './model.js';

const FOLDER = 'test/goldens/checkpoints/tied';
const TEXTS = ['Name a rule.', 'Ban dice. Ban flags.', 'Is a pistol a weapon? Say why, in one sentence.'];

let model: LoadedModel;
let prompts: EncodedPrompt[];

beforeAll(async () => {
  model = await LoadedModel.load(FOLDER);
  prompts = TEXTS.map((content) => model.processor.encodeChat([{ role: 'user', content }]));
});
afterAll(() => model.dispose());

const sampling = { maxNewTokens: 12, temperature: 1.5, seed: 3 };

describe('Generator', () => {
  it('samples the same tokens again from the same seed, others from another', async () => {
    const first = await model.generate(prompts, sampling);
    expect(await model.generate(prompts, sampling)).toEqual(first);
    const other = await model.generate(prompts, { ...sampling, seed: 4 });
    expect(other.map(({ tokens }) => tokens)).not.toEqual(first.map(({ tokens }) => tokens));
  });

  it('gives a row the same tokens whatever stands beside it', async () => {
    const together = await model.generate(prompts, sampling);
    const [alone] = await model.generate([prompts[0]], sampling);
    expect(alone.tokens).toEqual(together[0].tokens);
  });

  it('never samples a vision token, however flat the distribution', async () => {
    const results = await model.generate(prompts, { maxNewTokens: 200, temperature: 100, seed: 1 });
    const forbidden = [
      '<|vision_start|>',
      '<|vision_end|>',
      '<|vision_pad|>',
      '<|image_pad|>',
      '<|video_pad|>',
    ];
    const ids = forbidden.map((token) => model.processor.tokenizer.id(token));
    expect(ids.every((id) => id !== undefined)).toBe(true);
    expect(results.flatMap(({ tokens }) => tokens).filter((id) => ids.includes(id))).toEqual([]);
  });

  it('reports the log-probability of what was chosen and of what is watched', async () => {
    const watch = [5, 6];
    const [{ tokens, logProbs, watched }] = await model.generate([prompts[0]], { maxNewTokens: 4, watch });
    expect(watched).toHaveLength(tokens.length);
    const [again] = await model.generate([prompts[0]], { maxNewTokens: 4, watch: tokens.slice(0, 1) });
    expect(again.watched[0][0]).toBeCloseTo(logProbs[0], 6);
    expect(watched[0].every((value) => value < 0)).toBe(true);
  });

  it('says whether an answer ended by itself or at its limit', async () => {
    const results = await model.generate(prompts, { maxNewTokens: 3 });
    for (const { tokens, finishReason } of results) {
      expect(finishReason).toBe(tokens.length < 3 ? 'stop' : 'length');
    }
  });

  it('answers an empty list with an empty list', async () => {
    expect(await model.generate([], { maxNewTokens: 3 })).toEqual([]);
  });

  it('refuses more tokens than the model has positions, with the numbers', async () => {
    await expect(model.generate([prompts[0]], { maxNewTokens: 5000 })).rejects.toThrow(
      /The prompt has \d+ tokens and the answer may have 5000, together more than the model's 4096/,
    );
  });

  it('stops between two tokens when it is told to', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(model.generate(prompts, { maxNewTokens: 50, signal: stop.signal })).rejects.toThrow(
      /abort/i,
    );
  });
});
