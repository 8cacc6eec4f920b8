import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseSftConfig } from '../config.js';
import { parseGrpoConfig } from '../grpo/config.js';
import { openPrompts } from '../grpo/prompts.js';
import { openSource } from '../sources.js';
import { sharedFolder } from '../tiny-model.test-util.js';
import { GRPO_ENGINES, type GrpoEngine, SFT_ENGINES, type SftEngine } from './engines.js';
import { exportGrpo, exportSft } from './export.js';
import { FITTING, SFT_RUN } from './fitting.test-util.js';

const MODEL = 'models/safeguard-vl-tiny';
const grpoEngines = Object.keys(GRPO_ENGINES) as GrpoEngine[];
const sftEngines = Object.keys(SFT_ENGINES) as SftEngine[];

const grpoJson = (settings: Record<string, unknown> = {}) => ({
  preset: 'paper-exact',
  model: MODEL,
  output: 'runs/out/grpo',
  steps: 2,
  prompts_per_step: 2,
  optimizer: { lr: 1e-6 },
  data: { source: 'iconworld', curriculum: [[0, 4]] },
  ...settings,
});

const sftJson = (settings: Record<string, unknown> = {}) => ({
  model: MODEL,
  output: 'runs/out/sft',
  ...SFT_RUN,
  ...settings,
});

describe('exports', () => {
  const scratch = sharedFolder();

  const grpo = (engine: GrpoEngine, name: string, settings?: Record<string, unknown>) => {
    const json = grpoJson(settings);
    const options = { file: 'run.yaml', json, folder: join(scratch, name) };
    return exportGrpo(engine, parseGrpoConfig(json), openPrompts, options);
  };
  const sft = (engine: SftEngine, name: string, settings?: Record<string, unknown>) => {
    const json = sftJson(settings);
    const options = { file: 'run.yaml', json, folder: join(scratch, name) };
    return exportSft(engine, parseSftConfig(json), openSource, options);
  };

  it.each(grpoEngines)(
    'writes a GRPO run for %s: data with pictures, settings, rewards, launch scripts',
    async (engine) => {
      const fitting = FITTING[engine] ?? {};
      const { folder, files, rows } = await grpo(engine, `grpo-${engine}`, fitting);
      expect(rows).toBe(4);
      expect(files).toContain('README.md');
      expect(files.filter((name) => name.endsWith('.sh')).length).toBeGreaterThan(0);
      for (const name of files) expect(readFileSync(join(folder, name)).length).toBeGreaterThan(0);
      const [data] = files.filter((name) => /^train.*\.(jsonl|parquet)$/u.test(name));
      const bytes = readFileSync(join(folder, data));
      const read = data.endsWith('.parquet')
        ? await parquetReadObjects({ file: new Uint8Array(bytes).buffer })
        : bytes
            .toString()
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(read).toHaveLength(4);
      // The same run written again is the same, and another one is refused.
      const before = files.map((name) => readFileSync(join(folder, name)));
      await grpo(engine, `grpo-${engine}`, fitting);
      expect(files.map((name) => readFileSync(join(folder, name)))).toEqual(before);
      await expect(grpo(engine, `grpo-${engine}`, { ...fitting, steps: 3 })).rejects.toThrow(
        /holds an export of another configuration/,
      );
    },
  );

  it.each(sftEngines)('writes a run of SFT for %s', async (engine) => {
    const { folder, files, rows } = await sft(engine, `sft-${engine}`);
    expect(rows).toBe(4);
    const [data] = files.filter((name) => name.endsWith('.jsonl'));
    const lines = readFileSync(join(folder, data), 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain('<answer>');
    expect(existsSync(join(folder, 'README.md'))).toBe(true);
  });

  it('starts the sampler of ms-swift from launch.sh, so that config.yaml trains without one', async () => {
    const { folder } = await grpo('ms-swift', 'sampler');
    const launch = readFileSync(join(folder, 'launch.sh'), 'utf8');
    expect(launch).toMatch(/ swift rlhf config\.yaml --use_vllm true --vllm_mode colocate .*"\$@"\n/);
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).not.toContain('vllm');
    const tuned = await sft('ms-swift', 'no-sampler');
    expect(readFileSync(join(tuned.folder, 'launch.sh'), 'utf8')).not.toContain('vllm');
  });

  it('gives ms-swift lists of words alone, as its command line joins them', async () => {
    const { folder } = await grpo('ms-swift', 'words');
    const settings = z.record(z.string(), z.unknown());
    const values = Object.values(settings.parse(parse(readFileSync(join(folder, 'config.yaml'), 'utf8'))));
    const lists = values.filter((value) => Array.isArray(value));
    expect(lists).toContainEqual(['1', '1']);
    expect(lists.flat().filter((entry) => typeof entry !== 'string')).toEqual([]);
  });

  it.each(grpoEngines)('names every setting that %s lacks', async (engine) => {
    const settings = {
      trainable: ['model.layers.*'],
      optimizer: { lr: 1e-6, groups: [{ match: 'model.*', lr: 1e-5 }] },
      vision_lr_ratio: 0.5,
    };
    const wrong = grpo(engine, `lacks-${engine}`, settings);
    await expect(wrong).rejects.toThrow(/optimizer\.groups/);
    await expect(wrong).rejects.toThrow(/trainable/);
    expect(existsSync(join(scratch, `lacks-${engine}`))).toBe(false);
  });

  it('refuses the objective that no engine has, and a folder with other files', async () => {
    await expect(sft('trl', 'cells', { objective: 'cells', vision: 'trained' })).rejects.toThrow(/objective/);
    mkdirSync(join(scratch, 'full'));
    writeFileSync(join(scratch, 'full', 'letter.txt'), 'mine');
    await expect(sft('trl', 'full')).rejects.toThrow(/holds other files: give a folder that is empty or new/);
  });
});
