import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../images/png.js';
import { loadIcons } from '../iconworld/raster.js';
import { heldOutPlaces, leakOf } from './held-out-rows.js';
import { iconworldSource } from './iconworld-source.js';
import { splitJsonlSource } from './jsonl-source.js';
import { type SftMetrics, sftMetrics } from './metrics.js';
import { type SftHooks, trainSft } from './sft.js';
import { openSource } from './sources.js';
import { noise, sharedFolder, tinyConfig, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const scratch = sharedFolder();
const quiet: SftHooks = { quiet: true };
let model = '';
const file = join(scratch, 'data.jsonl');
const ROWS = 12;

beforeAll(async () => {
  model = await writeTinyModel(scratch);
  // Rows 0 and 1 share a picture under one name, 2 and 3 under two; every third row has none.
  const pictures = await Promise.all([1, 2, 3, 4, 5].map((seed) => encodePng(noise(56, 28 * seed, seed))));
  pictures.forEach((png, i) => writeFileSync(join(scratch, `${i}.png`), png));
  copyFileSync(join(scratch, '1.png'), join(scratch, 'copy-of-1.png'));
  const images = [
    ['0.png'],
    ['0.png'],
    ['1.png'],
    ['copy-of-1.png'],
    [],
    ['2.png'],
    ['3.png'],
    [],
    ['4.png'],
    [],
    [],
    [],
  ];
  const rows = images.map((own, i) =>
    JSON.stringify({
      prompt: `what is on mat ${i}?`,
      answer: `a red cat ${i}`,
      images: own,
      task: own.length ? 'see' : 'read',
    }),
  );
  writeFileSync(file, `${rows.join('\n')}\n`);
});

const metricsOf = (output: string): SftMetrics[] =>
  readFileSync(join(output, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => sftMetrics.parse(JSON.parse(line)));
const timeless = (output: string): unknown[] =>
  metricsOf(output).map((line) => ({ ...line, seconds: 0, tokens_per_second: 0 }));
const weightsOf = (checkpoint: string): Buffer => readFileSync(join(checkpoint, 'model.safetensors'));
const data = { source: 'jsonl', file } as const;

describe('a run with held-out samples', () => {
  const settings = {
    steps: 6,
    data,
    evaluation: { every_steps: 2, samples: 4 },
    schedule: { kind: 'constant' },
  };

  it('trains on the others alone, as if those had never been there, and goes on exactly', async () => {
    const output = join(scratch, 'with');
    const config = tinyConfig(model, output, settings);
    const whole = await trainSft(config, await openSource(config), quiet);
    expect(metricsOf(output).map(({ eval_loss: loss }) => typeof loss)).toEqual([
      'undefined',
      'number',
      'undefined',
      'number',
      'undefined',
      'number',
    ]);

    const pieces = tinyConfig(model, join(scratch, 'pieces'), settings);
    const stop = new AbortController();
    const onStep = ({ step }: { readonly step: number }): void => {
      if (step === 3) stop.abort();
    };
    await trainSft(pieces, await openSource(pieces), { quiet: true, signal: stop.signal, onStep });
    const resumed = await trainSft(pieces, await openSource(pieces), quiet);
    expect(weightsOf(resumed.checkpoint)).toEqual(weightsOf(whole.checkpoint));
    expect(timeless(pieces.output)).toEqual(timeless(output));

    // The file without the rows that were held out.
    const heldOut = await (await openSource(config)).heldOut?.(4);
    const prompts = new Set<string>();
    for (let i = 0; i < (heldOut?.count ?? 0); i++) prompts.add((await heldOut?.sample(i))?.prompt ?? '');
    expect(prompts.size).toBe(4);
    const rest = join(scratch, 'rest.jsonl');
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(
      rest,
      lines.filter((line) => ![...prompts].some((prompt) => line.includes(prompt))).join('\n'),
    );
    const without = { ...settings, evaluation: undefined, data: { source: 'jsonl', file: rest } };
    const plain = tinyConfig(model, join(scratch, 'without'), without);
    const trained = await trainSft(plain, await openSource(plain), quiet);
    expect(weightsOf(trained.checkpoint)).toEqual(weightsOf(whole.checkpoint));
  });

  it.each([
    ['frozen', {}],
    ['trained', {}],
    ['frozen', { lora: { r: 2, alpha: 4, dropout: 0.5 } }],
  ] as const)('measures what a step on those samples would, tower %s, %j', async (vision, more) => {
    // So small a rate that the weights stay as they are.
    const still = {
      ...more,
      vision,
      optimizer: { lr: 1e-30, weight_decay: 0 },
      schedule: { kind: 'constant' },
      steps: 1,
    };
    const [one, two] = [join(scratch, 'one.jsonl'), join(scratch, 'two.jsonl')];
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    writeFileSync(one, lines.slice(0, 6).join('\n'));
    writeFileSync(two, lines.slice(6).join('\n'));
    const name = `${vision}-${Object.keys(more).join('')}`;
    const measured = tinyConfig(model, join(scratch, `measured-${name}`), {
      ...still,
      data: { source: 'jsonl', file: one },
      evaluation: { samples: 6, file: two },
    });
    await trainSft(measured, await openSource(measured), quiet);
    const direct = tinyConfig(model, join(scratch, `direct-${name}`), {
      ...still,
      lora: 'lora' in more ? { ...more.lora, dropout: 0 } : undefined,
      batch_size: 6,
      data: { source: 'jsonl', file: two },
    });
    await trainSft(direct, await openSource(direct), quiet);
    const [{ eval_loss: loss, eval_loss_by_task: byTask }] = metricsOf(measured.output);
    const [expected] = metricsOf(direct.output);
    expect(loss).toBeCloseTo(expected.loss, 5);
    expect(Object.keys(byTask ?? {})).toEqual(['read', 'see']);
    for (const [task, value] of Object.entries(expected.loss_by_task))
      expect(byTask?.[task]).toBeCloseTo(value, 5);
  });

  it('needs data that can hold something out', async () => {
    const config = tinyConfig(model, join(scratch, 'refused'), settings);
    await expect(trainSft(config, tinySource(), quiet)).rejects.toThrow(
      /evaluation needs data that holds samples out/,
    );
  });
});

describe('rows held out of a file', () => {
  const rows = [['a'], ['a', 'b'], ['b'], ['c'], [], []].map((pictures, i) => ({
    prompt: i > 3 ? 'the same question' : `${i}`,
    pictures,
  }));

  it('never share a picture or a question with the rest', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const places = await heldOutPlaces(rows, { count: 3, seed, file: 'x' });
      expect(places.size).toBeGreaterThan(0);
      expect(places.size).toBeLessThanOrEqual(3);
      for (const group of [
        [0, 1, 2],
        [4, 5],
      ]) {
        expect(new Set(group.map((i) => places.has(i))).size).toBe(1);
      }
    }
    expect(await heldOutPlaces(rows, { count: 3, seed: 1, file: 'x' })).toEqual(
      await heldOutPlaces(rows, { count: 3, seed: 1, file: 'x' }),
    );
  });

  it('are told by what pictures hold, not by their names', async () => {
    const row = (name: string) => ({ prompt: name, pictures: [join(scratch, name)] });
    expect(await leakOf([row('0.png'), row('1.png')], [row('2.png'), row('copy-of-1.png')])).toEqual({
      trained: 1,
      heldOut: 1,
    });
    expect(await leakOf([row('0.png'), row('1.png')], [row('2.png')])).toBeNull();
    const other = join(scratch, 'held-out.jsonl');
    writeFileSync(other, '\n{"prompt": "?", "answer": "a", "images": ["copy-of-1.png"]}\n');
    await expect(splitJsonlSource(file, 0, { samples: 9, file: other })).rejects.toThrow(
      /held-out\.jsonl, line 2, has a picture or a question that is trained on \(.*data\.jsonl, line 3\)/,
    );
  });

  it.each([
    [ROWS, /data\.jsonl has 12 samples, and evaluation\.samples would hold out 12: lower it/],
    [500, /would hold out 500/],
  ])('must leave something: %d', async (samples, message) => {
    await expect(splitJsonlSource(file, 0, { samples })).rejects.toThrow(message);
  });

  it('cannot be torn from the rest where all share a picture', async () => {
    const same = [1, 2, 3].map((i) => ({ prompt: `${i}`, pictures: ['a'] }));
    await expect(heldOutPlaces(same, { count: 1, seed: 0, file: 'x' })).rejects.toThrow(
      /every sample shares a picture/,
    );
  });
});

describe("IconWorld's held-out samples", () => {
  beforeAll(() => loadIcons());

  it('are none of those that are trained on, and always the same', async () => {
    const mixture = {
      tasks: { judgement: 1, caption: 1 },
      curriculum: [[0, 4]] as const,
      seed: 3,
      total: 400,
    };
    const source = await iconworldSource(mixture);
    const heldOut = await source.heldOut?.(40);
    expect(heldOut?.count).toBe(40);
    const hash = ({ prompt, images }: { prompt: string; images: readonly { data: Uint8Array }[] }): string =>
      `${prompt} ${images.map(({ data: pixels }) => Buffer.from(pixels).toString('base64')).join()}`;
    const trained = new Set<string>();
    for (let i = 0; i < 100; i++) trained.add(hash(await source.sample(i)));
    for (let i = 0; i < 40; i++) {
      const sample = await heldOut?.sample(i);
      expect(sample).toEqual(await (await (await iconworldSource(mixture)).heldOut?.(40))?.sample(i));
      expect(trained).not.toContain(sample && hash(sample));
    }
  });
});
