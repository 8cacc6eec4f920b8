import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { EMBEDDED_MODEL } from '../checkpoint/embedded.js';
import { resolveModel } from '../checkpoint/hub/index.js';
import { NAME, standInHub } from '../checkpoint/hub/stand-in-hub.test-util.js';
import { openEngines } from '../curation/engines.js';
import { parseRecaptionConfig } from '../curation/recaption-config.js';
import { exportGrpo } from './exporters/export.js';
import { parseGrpoConfig } from './grpo/config.js';
import { trainGrpo } from './grpo/grpo.js';
import { openPrompts } from './grpo/prompts.js';
import { trainSft } from './sft.js';
import { sharedFolder, tinyConfig, tinyPrompts, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const scratch = sharedFolder();
let files: Record<string, Buffer> = {};
beforeAll(async () => {
  const model = await writeTinyModel(scratch);
  files = Object.fromEntries(readdirSync(model).map((name) => [name, readFileSync(join(model, name))]));
});

let cache = 0;
beforeEach(async () => {
  const hub = await standInHub(files);
  onTestFinished(() => hub.close());
  vi.stubEnv('HF_ENDPOINT', hub.endpoint);
  vi.stubEnv('HF_HUB_CACHE', join(scratch, `cache-${cache++}`));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
});

describe('a model by its name on the hub', () => {
  it('is fetched and trained by SFT and by GRPO', async () => {
    const seen: string[] = [];
    const onDownload = ({ name }: { readonly name: string }): unknown => seen.push(name);
    const config = tinyConfig(NAME, join(scratch, 'sft'), { steps: 1 });
    await trainSft(config, tinySource(), { quiet: true, onDownload });
    expect(new Set(seen)).toEqual(new Set([NAME]));
    const grpo = parseGrpoConfig({
      model: NAME,
      output: join(scratch, 'grpo'),
      steps: 1,
      prompts_per_step: 1,
      num_generations: 2,
      max_completion_length: 4,
      rewards: { length: 1 },
      optimizer: { lr: 1e-6 },
      data: { source: 'jsonl', file: 'unused.jsonl' },
    });
    expect(await trainGrpo(grpo, tinyPrompts, { quiet: true })).toMatchObject({ step: 1 });
  });

  it('captions', async () => {
    const engines = await openEngines(parseRecaptionConfig({ captioner: { model: NAME }, world: 'photos' }));
    expect(engines.captioner).toBe(engines.judge);
    await engines.close();
  });
});

describe("the embedded model's name", () => {
  it('is its folder, wherever the working directory is', async () => {
    expect(await resolveModel('safeguard-vl-tiny')).toBe(EMBEDDED_MODEL);
    expect(EMBEDDED_MODEL.startsWith('/') || /^[A-Z]:/u.test(EMBEDDED_MODEL)).toBe(true);
    expect(readdirSync(EMBEDDED_MODEL)).toContain('model.safetensors');
  });

  it('becomes its path in an export', async () => {
    const json = {
      preset: 'paper-exact',
      model: 'safeguard-vl-tiny',
      output: 'run',
      steps: 1,
      data: { source: 'iconworld' },
    };
    const folder = join(scratch, 'export');
    await exportGrpo('ms-swift', parseGrpoConfig(json), openPrompts, { file: 'run.yaml', json, folder });
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).toContain(EMBEDDED_MODEL);
  });
});
