import { describe, expect, it } from 'vitest';
import type { AskOptions, LoadOptions, ServedModel } from '../guard/guard.js';
import { ask, type AskArguments } from './ask.js';

async function ran(images: readonly string[], options: AskArguments) {
  const out: string[] = [];
  const asked: unknown[] = [];
  const code = await ask(images, options, {
    loadGuard: async (model: string | ServedModel | undefined, given: LoadOptions) => {
      asked.push(model, given);
      return {
        ask: async (pictures: readonly unknown[], question: string, { onText, ...how }: AskOptions) => {
          asked.push(pictures.length, question, how);
          onText?.('A be');
          onText?.('er.\u001b[31m');
          const tokens = { prompt: 9, completion: 2 };
          return { text: 'A beer.', finishReason: 'stop' as const, tokens };
        },
      };
    },
    readStdin: async () => new Uint8Array(),
    terminal: { out: (text) => out.push(`${text}\n`), write: (text) => out.push(text) },
  });
  return { code, out: out.join(''), asked };
}

describe('safeguard ask', () => {
  it('prints the answer as it is written, without control characters', async () => {
    const { code, out, asked } = await ran(['a.png', 'b.png'], { question: 'What is it?', seed: 3 });
    expect(code).toBe(0);
    expect(out).toBe('  A beer.[31m\n');
    expect(asked).toEqual([undefined, { fetch: { allowPrivate: false } }, 2, 'What is it?', { seed: 3 }]);
  });

  it('prints one JSON object', async () => {
    const { out } = await ran(['a.png'], { question: 'What?', json: true, model: 'x', temperature: 0.5 });
    expect(JSON.parse(out)).toEqual({
      images: ['a.png'],
      question: 'What?',
      text: 'A beer.',
      finishReason: 'stop',
      tokens: { prompt: 9, completion: 2 },
    });
  });

  it('needs a question and an image', async () => {
    await expect(ran(['a.png'], {})).rejects.toThrow('ask something: safeguard ask IMAGE…');
    await expect(ran([], { question: 'What?' })).rejects.toThrow('name an image file');
  });
});
