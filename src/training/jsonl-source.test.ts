import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { jsonlSource } from './jsonl-source.js';

function written(...lines: unknown[]): string {
  const file = join(scratchFolder(), 'data.jsonl');
  writeFileSync(
    file,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  );
  return file;
}

const row = (n: number) => ({ prompt: `question ${n}`, answer: `answer ${n}` });

describe('jsonlSource', () => {
  it('gives every line once an epoch, each time in another order, decided by the seed', async () => {
    const file = written(...[0, 1, 2, 3, 4, 5, 6, 7].map(row), '');
    const epochs = async (seed: number): Promise<string[][]> => {
      const source = jsonlSource(file, seed);
      const all = await Promise.all(Array.from({ length: 24 }, (_, i) => source.sample(i)));
      return [0, 8, 16].map((from) => all.slice(from, from + 8).map(({ prompt }) => prompt));
    };
    const first = await epochs(1);
    for (const epoch of first) expect(new Set(epoch).size).toBe(8);
    expect(first[0]).not.toEqual(first[1]);
    expect(await epochs(1)).toEqual(first);
    expect(await epochs(2)).not.toEqual(first);
    // Any place can be asked for first: this is how a run resumes.
    expect((await jsonlSource(file, 1).sample(19)).prompt).toBe(first[2][3]);
  });

  it('hands on what stands before the user', async () => {
    const source = jsonlSource(written({ ...row(1), system: 'Be brief.' }), 0);
    expect(await source.sample(0)).toMatchObject({ system: 'Be brief.', prompt: 'question 1' });
    expect(await jsonlSource(written(row(1)), 0).sample(0)).not.toHaveProperty('system');
  });

  it('reads images beside the file', async () => {
    const file = written({ ...row(1), images: ['red.png'], task: 'see' });
    const red = { create: { width: 3, height: 2, channels: 3, background: '#ff0000' } } as const;
    await sharp(red)
      .png()
      .toFile(join(file, '..', 'red.png'));
    const { images, task } = await jsonlSource(file, 0).sample(0);
    expect(task).toBe('see');
    expect([images[0].width, images[0].height, ...images[0].data.slice(0, 3)]).toEqual([3, 2, 255, 0, 0]);
  });

  it('names the file and the line of every mistake', async () => {
    const mistakes: [string, RegExp][] = [
      [written(row(1), '{"prompt": '), /data\.jsonl, line 2 is not valid JSON: /],
      [
        written('', row(1), { prompt: 'x' }),
        /data\.jsonl, line 3: answer: .*expected string, received undefined/,
      ],
      [written({ prompt: '', answer: 'x' }), /line 1: prompt: Too small/],
      [written({ prompt: 'x', answer: '' }), /line 1: answer: Too small/],
      [written('[1]'), /line 1: the line: .*expected object, received array/],
      [written({ ...row(1), image: 'a.png' }), /line 1: there is no field 'image'/],
      [written({ ...row(1), images: 'a.png' }), /line 1: images: .*expected array/],
      [written(''), /data\.jsonl holds no samples: give one JSON object a line/],
      [join(scratchFolder(), 'gone.jsonl'), /^Cannot read the training data .*gone\.jsonl: ENOENT/],
    ];
    for (const [file, message] of mistakes) expect(() => jsonlSource(file, 0)).toThrow(message);
    const missing = jsonlSource(written(row(1), { ...row(2), images: ['gone.png'] }), 0);
    await expect(Promise.all([missing.sample(0), missing.sample(1)])).rejects.toThrow(
      /data\.jsonl, line 2: .*gone\.png/,
    );
  });
});
