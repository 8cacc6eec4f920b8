/** @module Every setting that a configuration accepts is read by what it configures: one that is taken and ignored is a trap. */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { openEngines } from '../src/curation/engines.js';
import { recaption } from '../src/curation/recaption.js';
import { parseRecaptionConfig, recaptionConfig } from '../src/curation/recaption-config.js';
import { recaptionServer, redPictures, threeModels } from '../src/curation/recaption-server.test-util.js';
import { encodePng } from '../src/images/png.js';
import { parseSftConfig, sftConfig } from '../src/training/config.js';
import { grpoConfig, parseGrpoConfig } from '../src/training/grpo/config.js';
import { trainGrpo } from '../src/training/grpo/grpo.js';
import { openPrompts } from '../src/training/grpo/prompts.js';
import { trainSft } from '../src/training/sft.js';
import { openSource } from '../src/training/sources.js';
import { noise, sharedFolder, writeTinyModel } from '../src/training/tiny-model.test-util.js';

/** Any name in a table, any place in a list. */
const ANY = '*';

/** Paths of all settings of a schema: what is no object, list of objects or table of objects with fixed keys. */
function settingsOf(schema: unknown, path: readonly string[] = []): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return settingsOf(schema.unwrap(), path);
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, inner]) => settingsOf(inner, [...path, key]));
  if (schema instanceof z.ZodUnion) {
    const inner = new Set(schema.options.flatMap((option) => settingsOf(option, path)));
    // A word in place of an object is read where the object would be.
    if (inner.size > 1) inner.delete(path.join('.'));
    return [...inner];
  }
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodObject)
    return settingsOf(schema.element, [...path, ANY]);
  if (schema instanceof z.ZodRecord && schema.valueType instanceof z.ZodObject)
    return settingsOf(schema.valueType, [...path, ANY]);
  return [path.join('.')];
}

const isBranch = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * The same configuration, which notes what is asked of it by name. Copies, hashes and descriptions go through all keys:
 * a value that is taken on such a walk counts as read by nobody.
 */
function watched<Config extends object>(
  config: Config,
  read: Set<string>,
  settings: ReadonlySet<string>,
): Config {
  const wrap = (value: object, path: readonly string[]): object => {
    const walked = new Set<string | symbol>();
    const inner = new Map<string | symbol, object>();
    return new Proxy(value, {
      ownKeys(target) {
        const keys = Reflect.ownKeys(target);
        for (const key of keys) walked.add(key);
        return keys;
      },
      get(target, key, receiver) {
        const found: unknown = Reflect.get(target, key, receiver);
        if (typeof key === 'symbol') return found;
        const known = [path, [...path.slice(0, -1), ANY]].map((begin) => [...begin, key].join('.'));
        const place = [...path, key];
        const asAny = [...path, ANY];
        const name = [...known, asAny.join('.')].find((one) => settings.has(one)) ?? place.join('.');
        if (!walked.delete(key)) read.add(name);
        if (!isBranch(found) || settings.has(name)) return found;
        const below = [place, asAny].find((begin) =>
          [...settings].some((setting) => setting.startsWith(`${begin.join('.')}.`)),
        );
        if (below === undefined) return found;
        const made = inner.get(key) ?? wrap(found, below);
        inner.set(key, made);
        return made;
      },
    });
  };
  return wrap(config, []) as Config;
}

/** Settings that nothing asked for while the runs went on. */
async function unreadBy(
  schema: z.ZodObject,
  runs: (watch: <Config extends object>(config: Config) => Config) => Promise<void>,
): Promise<string[]> {
  const settings = new Set(settingsOf(schema));
  const read = new Set<string>();
  await runs((config) => watched(config, read, settings));
  return [...settings].filter((setting) => !read.has(setting)).sort();
}

const scratch = sharedFolder();
const quiet = { quiet: true } as const;
let model = '';
let adapter = '';
const rowsFile = join(scratch, 'rows.jsonl');
const heldOutFile = join(scratch, 'held-out.jsonl');
const promptsFile = join(scratch, 'prompts.jsonl');

beforeAll(async () => {
  model = await writeTinyModel(scratch);
  for (const i of [0, 1, 2, 3])
    writeFileSync(join(scratch, `${i}.png`), await encodePng(noise(56, 28 * (i + 1), i)));
  const row = (i: number): string =>
    JSON.stringify({ prompt: `what is on mat ${i}?`, answer: `a red cat ${i}`, images: [`${i}.png`] });
  writeFileSync(rowsFile, [0, 1, 2].map(row).join('\n'));
  writeFileSync(heldOutFile, row(3));
  const prompt = (i: number): string =>
    JSON.stringify({ prompt: `No cats on mat ${i}.`, images: [`${i}.png`], solution: 'safe' });
  writeFileSync(promptsFile, [0, 1, 2, 3].map(prompt).join('\n'));
  const trained = parseSftConfig({
    model,
    output: join(scratch, 'adapter'),
    steps: 1,
    batch_size: 1,
    micro_batch_size: 1,
    optimizer: { lr: 1e-3 },
    data: { source: 'jsonl', file: rowsFile },
    lora: { r: 2, alpha: 4 },
  });
  adapter = (await trainSft(trained, await openSource(trained), quiet)).checkpoint;
});

const LORA = { r: 2, alpha: 4, rslora: true, target_modules: ['q_proj'] };
const OPTIMIZER = { lr: 1e-3, groups: [{ match: '*', lr: 1e-3, weight_decay: 0 }] };

describe('every setting is read', () => {
  const sftBase = (): Record<string, unknown> => ({
    model,
    steps: 1,
    batch_size: 2,
    micro_batch_size: 2,
    threads: 1,
    optimizer: OPTIMIZER,
    checkpoint: { every_steps: 1, keep: 1 },
  });
  let runs = 0;
  const sftRuns = async (watch: <Config extends object>(config: Config) => Config): Promise<void> => {
    const rows = { source: 'jsonl', file: rowsFile };
    for (const [name, settings] of Object.entries({
      adapter: { data: rows, lora: { ...LORA, dropout: 0.1 }, evaluation: { samples: 1, file: heldOutFile } },
      weights: { data: rows, trainable: ['model.*'] },
      iconworld: { data: { source: 'iconworld', tasks: { caption: 1 } }, max_length: 4096 },
    })) {
      const config = watch(
        parseSftConfig({ ...sftBase(), output: join(scratch, `sft-${runs++}-${name}`), ...settings }),
      );
      await trainSft(config, await openSource(config), quiet);
    }
  };

  it('by SFT', async () => {
    expect(await unreadBy(sftConfig, sftRuns)).toEqual([]);
  });

  it('and one that is not is found', async () => {
    const wider = sftConfig.extend({
      nobody: z.number().optional(),
      optimizer: sftConfig.shape.optimizer.extend({ momentum: z.number().optional() }),
    });
    expect(await unreadBy(wider, sftRuns)).toEqual(['nobody', 'optimizer.momentum']);
  });

  it('by GRPO', async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      json(request)
        .then((body) => {
          const { completions } = z.object({ completions: z.array(z.string()) }).parse(body);
          // Busy at first, so that it is asked again.
          response.statusCode = asked++ === 0 ? 503 : 200;
          response.end(JSON.stringify({ rewards: { own: completions.map((_, i) => i) } }));
        })
        .catch(() => response.destroy());
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const base = {
      model,
      steps: 1,
      prompts_per_step: 1,
      num_generations: 2,
      max_completion_length: 4,
      max_truncated_steps: 9,
      mask_truncated_completions: false,
      dynamic_sampling: 0,
      threads: 1,
      rewards: { own: 1 },
      remote_rewards: { own: { url } },
      optimizer: OPTIMIZER,
      checkpoint: { every_steps: 1, keep: 1 },
      evaluation: { every_steps: 1, prompts: 1, select: 'reward' },
    };
    const unread = await unreadBy(grpoConfig, async (watch) => {
      for (const [name, settings] of Object.entries({
        adapter: { data: { source: 'jsonl', file: promptsFile }, lora: LORA, profile: 'card' },
        weights: {
          data: { source: 'jsonl', file: promptsFile, held_out: 1 },
          trainable: ['model.*'],
          beta: 0.1,
        },
        iconworld: {
          data: { source: 'iconworld', pairs: 0.5, unrelated: 0.5, max_voice: 1 },
          evaluation: undefined,
        },
      })) {
        const config = watch(
          parseGrpoConfig({ ...base, output: join(scratch, `grpo-${name}`), ...settings }),
        );
        const source = await openPrompts(config);
        // A picture of IconWorld under a whole page is more than the tiny model has positions for: opened, not trained on.
        if (name === 'iconworld') for (let i = 0; i < 4; i++) await source.prompt(i);
        else await trainGrpo(config, source, quiet);
      }
    });
    expect(unread).toEqual([]);
  });

  it('by recaption', async () => {
    const images = join(scratch, 'images');
    await redPictures(images, 1);
    const { baseURL } = await recaptionServer();
    const { captioner, rewriter, judge } = threeModels(baseURL);
    const unread = await unreadBy(recaptionConfig, async (watch) => {
      const more = { timeout: 60, api_key_env: 'PATH' };
      const models = {
        captioner: { ...captioner, ...more },
        rewriter: { ...rewriter, ...more },
        judge: { ...judge, ...more },
      };
      await recaption(
        images,
        join(scratch, 'recaptions'),
        watch(parseRecaptionConfig({ ...models, limit: 1 })),
      );
      const local = (alike: string): object => ({ model: `${model}${alike}`, adapter });
      const here = watch(
        parseRecaptionConfig({
          captioner: local(''),
          rewriter: local('/'),
          judge: local('/.'),
          world: 'photos',
        }),
      );
      await (await openEngines(here)).close();
    });
    // Which prompts and models stand where nothing is said: it is spent when the file is read.
    expect(unread).toEqual(['world']);
    expect(parseRecaptionConfig({ world: 'photos' }).prompts).not.toEqual(
      parseRecaptionConfig({ world: 'iconworld' }).prompts,
    );
  });
});
