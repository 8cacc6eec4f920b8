import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { writeSafetensors } from '../checkpoint/safetensors.js';
import type { OptimizedParameter } from '../optim/adamw.js';
import { RunFolder, type RunState } from './run-folder.js';
import { sharedFolder, type TinyModel, tinyModel } from './tiny-model.test-util.js';
import { optimizedParameters } from './weights.js';

const scratch = sharedFolder();
let tiny: TinyModel;
let optimized: OptimizedParameter[];
beforeAll(async () => {
  tiny = await tinyModel(scratch);
  optimized = optimizedParameters(tiny.weights, ['model.norm.weight'], {
    optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
    visionLrRatio: 1,
  });
});

const stateOf = (step: number): RunState => ({ step, samples: 4 * step, seconds: step, config: 'hash' });
const save = (folder: RunFolder, step: number, keep = 2): Promise<string> =>
  folder.save(stateOf(step), tiny.weights, optimized, { folder: tiny.folder, keep });

describe('RunFolder', () => {
  it('keeps the newest checkpoints, by number', async () => {
    const folder = new RunFolder(join(scratchFolder(), 'a', 'run'));
    expect(folder.newest()).toBeUndefined();
    for (const step of [8, 9, 10]) await save(folder, step);
    expect(folder.checkpoints()).toEqual([9, 10].map((step) => join(folder.path, `checkpoint-${step}`)));
    expect(folder.newest()).toBe(join(folder.path, 'checkpoint-10'));
    expect(readdirSync(folder.path).sort()).toEqual(['checkpoint-10', 'checkpoint-9']);
  });

  it('restores weights and moments to the bit', async () => {
    // The folder's path may be written in any way.
    const folder = new RunFolder(`${scratchFolder()}/./run/`);
    optimized[0].firstMoment.fill(0.1);
    optimized[0].secondMoment.fill(1e-20);
    const saved = await save(folder, 3, 1);
    await save(folder, 4, 1);
    expect(existsSync(saved)).toBe(false);
    const weight = tiny.weights.get('model.norm.weight')?.data ?? new Float32Array();
    const before = weight.slice();
    weight.fill(7);
    optimized[0].firstMoment.fill(7);
    optimized[0].secondMoment.fill(7);
    const newest = folder.newest() ?? '';
    expect(await folder.restore(newest, tiny.weights, optimized)).toEqual(stateOf(4));
    expect(weight).toEqual(before);
    expect(new Set(optimized[0].firstMoment)).toEqual(new Set([Math.fround(0.1)]));
    expect(new Set(optimized[0].secondMoment)).toEqual(new Set([Math.fround(1e-20)]));
  });

  it('leaves a whole checkpoint as it is, and takes the place of one that is not whole', async () => {
    const folder = new RunFolder(scratchFolder());
    const saved = await save(folder, 1);
    const before = statSync(join(saved, 'model.safetensors')).ino;
    await save(folder, 1);
    expect(statSync(join(saved, 'model.safetensors')).ino).toBe(before);
    rmSync(join(saved, 'trainer_state.json'));
    expect(folder.newest()).toBeUndefined();
    await save(folder, 1);
    expect(statSync(join(saved, 'model.safetensors')).ino).not.toBe(before);
    expect(readdirSync(folder.path)).toEqual(['checkpoint-1']);
  });

  it('removes what a kill left half done and nothing else', () => {
    const folder = new RunFolder(scratchFolder());
    const leftovers = ['building-3', '.building-3.partial', '.building-3.replaced', 'removing-1'];
    const others = ['building-plans', 'final', 'checkpoint-2', 'metrics.jsonl'];
    for (const name of [...leftovers, ...others])
      mkdirSync(join(folder.path, name, 'inner'), { recursive: true });
    folder.removeLeftovers();
    expect(readdirSync(folder.path).sort()).toEqual([...others].sort());
  });

  it('drops the metrics of steps that will be computed again', () => {
    const folder = new RunFolder(scratchFolder());
    folder.trimMetrics(5);
    for (const step of [1, 2, 3]) folder.appendMetrics({ step, loss: 0.5 });
    const path = join(folder.path, 'metrics.jsonl');
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, `${whole}{"step": 4, "lo`);
    folder.trimMetrics(4);
    expect(readFileSync(path, 'utf8')).toBe(whole);
    folder.trimMetrics(1);
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"loss":0.5}\n');
  });

  it('refuses moments of other weights', async () => {
    const folder = new RunFolder(scratchFolder());
    const saved = await save(folder, 1);
    const file = join(saved, 'optimizer.safetensors');
    const moments = (length: number) =>
      ['first', 'second'].map((kind) => ({
        name: `${kind}.model.norm.weight`,
        dtype: 'F32' as const,
        shape: [length],
        data: new Float32Array(length),
      }));
    const restore = (): Promise<RunState> => folder.restore(saved, tiny.weights, optimized);
    await writeSafetensors(file, moments(3));
    await expect(restore()).rejects.toThrow(
      /checkpoint-1 is damaged: first\.model\.norm\.weight has 3 values instead of 16\. Remove it/,
    );
    await writeSafetensors(file, moments(16).slice(0, 1));
    await expect(restore()).rejects.toThrow(/optimizer\.safetensors has no second\.model\.norm\.weight/);
  });
});
