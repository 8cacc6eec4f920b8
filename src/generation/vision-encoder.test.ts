import { afterEach, expect, it, vi } from 'vitest';
import { Session } from '../runtime/session.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import { LoadedModel } from './model.js';

afterEach(() => {
  vi.restoreAllMocks();
});

it('computes an image once, also for later prompts', async () => {
  const model = await LoadedModel.load('test/goldens/checkpoints/tied');
  const run = vi.spyOn(Session.prototype, 'run');
  const towers = (): number => run.mock.calls.filter(([feeds]) => 'patches' in feeds).length;
  const prompt = (shade: number, text: string): EncodedPrompt => {
    const image = images[shade];
    return model.processor.encodeChat([
      {
        role: 'user',
        content: [
          { type: 'image', image },
          { type: 'text', text },
        ],
      },
    ]);
  };
  const images = [0, 200].map((shade) => ({
    width: 56,
    height: 56,
    data: new Uint8Array(56 * 56 * 3).map((_, i) => (shade + i) % 256),
  }));
  const settings = { maxNewTokens: 3 };
  const [alone] = await model.generate([prompt(0, 'What?')], settings);
  await model.generate([prompt(0, 'Who?'), prompt(0, 'Where?')], settings);
  expect(towers()).toBe(1);
  const both = await model.generate([prompt(1, 'What?'), prompt(0, 'What?')], settings);
  expect(towers()).toBe(2);
  expect(both[1].tokens).toEqual(alone.tokens);
  await model.dispose();
});
