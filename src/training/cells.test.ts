import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../checkpoint/safetensors.js';
import type { RgbImage } from '../images/image.js';
import type { SampleSource } from './examples.js';
import { trainSft } from './sft.js';
import { sharedFolder, tinyConfig, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const WORDS = ['red', 'blue'] as const;

/** A grey picture of 56 × 56, four cells, with a coloured one: its word is the colour's. */
function markedPicture(index: number): { image: RgbImage; x: number; y: number; word: string } {
  const cell = index % 4;
  const word = WORDS[Math.floor(index / 4) % 2];
  const data = new Uint8Array(3 * 56 * 56).fill(128);
  const [left, top] = [(cell % 2) * 28, Math.floor(cell / 2) * 28];
  for (let row = top; row < top + 28; row++)
    for (let column = left; column < left + 28; column++)
      data.set(word === 'red' ? [255, 0, 0] : [0, 0, 255], 3 * (row * 56 + column));
  return { image: { width: 56, height: 56, data }, x: (left + 14) / 56, y: (top + 14) / 56, word };
}

const marked: SampleSource = {
  sample(index) {
    const { image, ...mark } = markedPicture(index);
    return Promise.resolve({ images: [image], prompt: '', answer: '', task: 'see', marks: [mark] });
  },
  vocabulary: WORDS,
};

describe('the objective cells', () => {
  const scratch = sharedFolder();
  let model = '';
  beforeAll(async () => {
    model = await writeTinyModel(scratch);
  });

  const config = (output: string, settings: Record<string, unknown> = {}) =>
    tinyConfig(model, join(scratch, output), {
      objective: 'cells',
      steps: 60,
      batch_size: 8,
      micro_batch_size: 4,
      trainable: ['visual.*'],
      checkpoint: { every_steps: 10, keep: 2 },
      ...settings,
    });

  it('learns which word lies where, and leaves the language model as it was', async () => {
    const { checkpoint } = await trainSft(config('learns'), marked, { quiet: true });
    const lines = readFileSync(join(scratch, 'learns', 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    const losses = lines.map(
      (line) => (JSON.parse(line) as { loss_by_task: Record<string, number> }).loss_by_task,
    );
    expect(losses[0].marked).toBeGreaterThan(1);
    expect(losses[59].marked).toBeLessThan(0.1);
    expect(losses[59].empty).toBeLessThan(0.1);
    const [before, after] = [model, checkpoint].map((folder) =>
      SafetensorsFile.open(join(folder, 'model.safetensors')),
    );
    const words = [...before.tensors.keys()].filter((name) => !name.startsWith('visual.'));
    expect(words.length).toBeGreaterThan(10);
    for (const name of words) expect(after.readFloat32(name)).toEqual(before.readFloat32(name));
    before.close();
    after.close();
  });

  it('ends with the same bytes after an interruption', async () => {
    const stop = new AbortController();
    const interrupted = config('pieces', { steps: 6 });
    await trainSft(interrupted, marked, {
      quiet: true,
      signal: stop.signal,
      onStep: ({ step }) => {
        if (step === 3) stop.abort();
      },
    });
    const pieces = await trainSft(interrupted, marked, { quiet: true });
    const whole = await trainSft(config('whole', { steps: 6 }), marked, { quiet: true });
    const [a, b] = [pieces, whole].map(({ checkpoint }) =>
      readFileSync(join(checkpoint, 'model.safetensors')),
    );
    expect(a.equals(b)).toBe(true);
  });

  it('refuses data without marks, words outside the vocabulary and a tower that is frozen', async () => {
    const refused = (output: string, source: SampleSource, settings?: Record<string, unknown>) =>
      trainSft(config(output, settings), source, { quiet: true });
    await expect(refused('no-words', tinySource())).rejects.toThrow(/objective cells needs data with marks/);
    await expect(refused('no-marks', { ...tinySource(), vocabulary: WORDS })).rejects.toThrow(
      /needs pictures with marks, and a \w+ sample has none/,
    );
    await expect(refused('strange', { ...marked, vocabulary: ['red'] })).rejects.toThrow(
      /'blue' is not in the vocabulary/,
    );
    await expect(refused('frozen', marked, { vision: 'frozen', trainable: ['model.*'] })).rejects.toThrow(
      /trains the tower: set vision: trained/,
    );
  });
});
