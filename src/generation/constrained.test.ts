import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { LoadedModel } from './model.js';

let model: LoadedModel;
let prompt: EncodedPrompt;

beforeAll(async () => {
  model = await LoadedModel.load('test/goldens/checkpoints/tied');
  prompt = model.processor.encodeChat([{ role: 'user', content: 'Is this allowed?' }]);
});
afterAll(() => model.dispose());

const textOf = (ids: readonly number[]): string => model.processor.tokenizer.decode(ids);

describe('generation under a grammar', () => {
  it.each(['(?:yes|no), rule \\d{1,3}', '[漢字😀]{2,4}!', '<a>[^<]{0,9}</a>'])(
    'writes texts of %s',
    async (grammar) => {
      const settings = { maxNewTokens: 80, temperature: 3, seed: 5, n: 8, grammar };
      const answers = await model.generate([prompt], settings);
      const whole = new RegExp(`^(?:${grammar})$`, 'u');
      for (const { tokens, finishReason } of answers) {
        expect(finishReason).toBe('stop');
        expect(textOf(tokens)).toMatch(whole);
      }
      expect(new Set(answers.map(({ tokens }) => textOf(tokens))).size).toBeGreaterThan(1);
    },
  );

  it('reports the log-probabilities of the model without it', async () => {
    const [answer] = await model.generate([prompt], { maxNewTokens: 20, grammar: 'yes, rule [0-9]' });
    const [score] = await model.score(prompt, [answer.tokens]);
    score.forEach((value, i) => expect(value).toBeCloseTo(answer.logProbs[i], 4));
  });

  it('is cut off at the limit', async () => {
    const [answer] = await model.generate([prompt], { maxNewTokens: 3, grammar: '[a-z]{200}' });
    expect(answer.finishReason).toBe('length');
    expect(textOf(answer.tokens)).toMatch(/^[a-z]+$/);
  });

  it('refuses a pattern that it cannot read', async () => {
    await expect(model.generate([prompt], { maxNewTokens: 3, grammar: '(?=a)' })).rejects.toThrow(
      /the grammar/,
    );
  });
});
