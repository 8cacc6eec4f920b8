import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Adapter } from '../checkpoint/adapter.js';
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { parseSftConfig, type SftConfig } from './config.js';
import { trainGrpo } from './grpo/grpo.js';
import { parseGrpoConfig } from './grpo/config.js';
import { type SftHooks, trainSft } from './sft.js';
import { sharedFolder, tinyConfig, tinyPrompts, tinySource, writeTinyModel } from './tiny-model.test-util.js';

const scratch = sharedFolder();
let model = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
});

const configOf = (
  name: string,
  lora: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): SftConfig =>
  tinyConfig(model, join(scratch, name), { vision: 'frozen', lora: { r: 4, alpha: 8, ...lora }, ...rest });

function stopAfter(step: number): SftHooks {
  const stop = new AbortController();
  return {
    quiet: true,
    signal: stop.signal,
    onStep: (metrics) => {
      if (metrics.step === step) stop.abort();
    },
  };
}

describe('SFT of an adapter', () => {
  it.each([0, 0.3])('ends bit-equal after interruptions, with a dropout of %s', async (dropout) => {
    const whole = await trainSft(configOf(`whole-${dropout}`, { dropout }), tinySource(), { quiet: true });
    const config = configOf(`pieces-${dropout}`, { dropout });
    expect(await trainSft(config, tinySource(), stopAfter(1))).toMatchObject({ step: 1 });
    expect(await trainSft(config, tinySource(), stopAfter(3))).toMatchObject({ step: 3 });
    const last = await trainSft(config, tinySource(), { quiet: true });
    for (const file of ['adapter_model.safetensors', 'optimizer.safetensors']) {
      const [a, b] = [last, whole].map(({ checkpoint }) => readFileSync(join(checkpoint, file)));
      expect(a.equals(b)).toBe(true);
    }
  });

  it('drops something: other losses than without', async () => {
    const losses: number[][] = [];
    for (const dropout of [0, 0.5]) {
      const own: number[] = [];
      await trainSft(configOf(`loss-${dropout}`, { dropout }), tinySource(), {
        quiet: true,
        onStep: ({ loss }) => own.push(loss),
      });
      losses.push(own);
    }
    // B is zero at first, so that the first losses are the base model's.
    expect(losses[0][0]).toBeCloseTo(losses[1][0], 5);
    expect(losses[0][3]).not.toBeCloseTo(losses[1][3], 5);
  });

  it('is a PEFT folder that merges into the weights it was trained in', async () => {
    const { checkpoint } = await trainSft(configOf('merged', { rslora: true }), tinySource(), {
      quiet: true,
    });
    const json = JSON.parse(readFileSync(join(checkpoint, 'adapter_config.json'), 'utf8')) as object;
    expect(json).toMatchObject({ peft_type: 'LORA', r: 4, lora_alpha: 8, use_rslora: true });
    const base = await Checkpoint.open(model);
    const adapter = Adapter.open(checkpoint);
    const merged = adapter.mergedInto(base);
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const moved = merged.read(name).filter((value, i) => value !== base.readFloat32(name)[i]);
    expect(moved.length).toBeGreaterThan(0);
    // The tower has modules of the same names and stays as it is.
    for (const own of ['visual.blocks.0.mlp.gate_proj.weight', 'model.embed_tokens.weight']) {
      expect(merged.read(own)).toEqual(base.readFloat32(own));
    }
    adapter.close();
    base.close();
  });

  it('is refused where it goes on from another adapter, or says what cannot be', async () => {
    const output = join(scratch, 'rank');
    await trainSft(configOf('rank', {}, { steps: 1 }), tinySource(), { quiet: true });
    await expect(
      trainSft(configOf('rank', { r: 2 }, { steps: 1 }), tinySource(), { quiet: true }),
    ).rejects.toThrow(`${join(output, 'checkpoint-1')} was made under another configuration`);
    const wrong = configOf('wrong', { target_modules: ['q_proj', 'qkv'] });
    await expect(trainSft(wrong, tinySource(), { quiet: true })).rejects.toThrow(
      "lora.target_modules: no linear module of the language model is called 'qkv'; choose among q_proj",
    );
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ lora: { r: 0, alpha: 1 } }, /lora\.r/],
    [{ lora: { r: 1 } }, /lora\.alpha/],
    [{ lora: { r: 1, alpha: 1, dropout: 1 } }, /lora\.dropout/],
    [{ lora: { r: 1, alpha: 1, rank: 4 } }, /there is no setting 'lora\.rank'/],
    [{ lora: { r: 1, alpha: 1 }, vision: 'trained' }, /an adapter leaves the tower as it is/],
    [{ lora: { r: 1, alpha: 1 }, trainable: ['*'] }, /leave trainable out/],
  ])('refuses %j', (settings, message) => {
    const rest = { steps: 1, batch_size: 1, micro_batch_size: 1, optimizer: { lr: 1 } };
    const data = { source: 'jsonl', file: 'f' };
    expect(() => parseSftConfig({ model: 'm', output: 'o', ...rest, data, ...settings })).toThrow(message);
  });
});

describe('GRPO of an adapter', () => {
  it('samples from what it trains, against a reference that is the base', async () => {
    const config = parseGrpoConfig({
      model,
      output: join(scratch, 'grpo'),
      steps: 3,
      prompts_per_step: 2,
      num_generations: 4,
      max_completion_length: 6,
      max_truncated_steps: 9,
      mask_truncated_completions: false,
      beta: 0.1,
      lora: { r: 4, alpha: 8 },
      rewards: { short: 1 },
      optimizer: { lr: 0.05 },
      data: { source: 'jsonl', file: 'unused' },
      threads: 1,
    });
    const kls: (number | null)[] = [];
    const result = await trainGrpo(config, tinyPrompts, {
      quiet: true,
      rewards: { short: (inputs) => inputs.map(({ completion }) => -completion.length) },
      onStep: ({ kl }) => kls.push(kl),
    });
    // The self-check of step 1 to 3 held: sampler and trainer are the same model, adapter and all.
    expect(result.ended).toBe('finished');
    expect(kls[0]).toBeCloseTo(0, 6);
    expect(kls[2]).toBeGreaterThan(1e-4);
  });
});
