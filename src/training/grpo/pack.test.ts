import { beforeAll, describe, expect, it } from 'vitest';
import type { EncodedPrompt } from '../../models/qwen2_5_vl/processor.js';
import { Random } from '../../util/random.js';
import { promptMessages } from '../examples.js';
import { StepSession } from '../step-session.js';
import { noise, sharedFolder, type TinyModel, tinyModel } from '../tiny-model.test-util.js';
import { optimizedParameters } from '../weights.js';
import { type LossSettings, tokenWeights } from './loss.js';
import { LOSS_TYPES } from './loss-types.js';
import { packGroups, type PackableGroup, perToken, segmentFeeds, tokenValues, unpacked } from './pack.js';
import { policyGraph } from './policy-graph.js';

const scratch = sharedFolder();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await tinyModel(scratch);
});

function encode(text: string, seed: number): EncodedPrompt {
  const images = seed % 2 === 0 ? [] : [noise(28 * (1 + (seed % 3)), 56, seed)];
  return tiny.processor.encodeChat(promptMessages({ images, prompt: text }));
}

/** Groups of different lengths, with and without pictures. */
function groups(): PackableGroup[] {
  const random = new Random('pack');
  return ['what is in the picture?', 'a red cat on a blue mat', 'is it allowed?'].map((text, seed) => ({
    prompt: encode(text, seed),
    completions: Array.from({ length: 4 }, () =>
      Array.from({ length: random.int(1, 9) }, () => random.int(0, 200)),
    ),
  }));
}

interface Outcome {
  readonly loss: number;
  readonly logProbs: Float32Array;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

interface GraphSettings {
  readonly pieces?: number;
  readonly keptEvery?: number;
}

async function outcomeOf(
  packable: readonly PackableGroup[],
  settings: LossSettings,
  graphSettings: GraphSettings = {},
): Promise<Outcome> {
  const { config, weights } = tiny;
  const graph = policyGraph(config, {
    images: 'tower',
    paddedSlots: true,
    temperature: 0.7,
    ...graphSettings,
    update: { loss: settings, isOffPolicy: true, trainable: () => true },
  });
  const session = await StepSession.create(graph, weights, { threads: 1 });
  const optimized = optimizedParameters(weights, graph.trainable, {
    optimizer: { lr: 1, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 },
    visionLrRatio: 1,
  });
  const { feeds, lengths } = packGroups(packable, { config, padId: 0, images: 'tower' });
  const completions = lengths.map((length, i) => ({ length, masked: i === 2 }));
  const random = new Random('values');
  const { loss, logProbs } = await session.accumulate(
    {
      ...feeds,
      ...(settings.importance_sampling_level === 'sequence' ? segmentFeeds(lengths) : {}),
      advantages: perToken(
        lengths.map(() => random.normal()),
        lengths,
      ),
      token_weights: perToken(
        tokenWeights(completions, completions, 1, { ...settings, max_completion_length: 16 }),
        lengths,
      ),
      old_log_probs: tokenValues(lengths.map((n) => Array.from({ length: n }, () => -5 - random.normal()))),
      ref_log_probs: tokenValues(lengths.map((n) => Array.from({ length: n }, () => -5 - random.normal()))),
    },
    new Map(optimized.map((parameter) => [parameter.name, parameter])),
  );
  await session.dispose();
  return { loss, logProbs, gradients: new Map(optimized.map(({ name, gradient }) => [name, gradient])) };
}

/** The worst difference relative to the largest magnitude. */
function errorOf(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) / largest;
}

function expectSame(own: Outcome, expected: Outcome): void {
  expect(errorOf(own.logProbs, expected.logProbs)).toBeLessThan(1e-5);
  expect(Math.abs(own.loss - expected.loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected.loss)));
  const errors = [...expected.gradients].map(([name, gradient]) => ({
    name,
    error: errorOf(own.gradients.get(name) ?? new Float32Array(gradient.length), gradient),
  }));
  expect(errors.filter(({ error }) => !(error < 1e-5))).toEqual([]);
}

describe('packGroups', () => {
  it.each(
    LOSS_TYPES.flatMap((loss_type) =>
      (['token', 'sequence'] as const).map((level) => ({ loss_type, level })),
    ),
  )(
    'gives the loss and the gradients of rows of their own: $loss_type, $level',
    async ({ loss_type, level }) => {
      const settings = {
        loss_type,
        importance_sampling_level: level,
        epsilon: 0.2,
        epsilon_high: 0.28,
        beta: 0.04,
      };
      const packed = await outcomeOf(groups(), settings);
      const single = await outcomeOf(unpacked(groups()), settings);
      expect([...packed.gradients.keys()]).toEqual([...single.gradients.keys()]);
      expectSame(packed, single);
    },
  );

  it.each([2, 8, 16])('gives the same where rows attend in %s pieces', async (pieces) => {
    const settings: LossSettings = {
      loss_type: 'dapo',
      importance_sampling_level: 'token',
      epsilon: 0.2,
      beta: 0.04,
    };
    const whole = await outcomeOf(groups(), settings);
    const cut = await outcomeOf(groups(), settings, { pieces });
    expectSame(cut, whole);
    expectSame(await outcomeOf(unpacked(groups()), settings, { pieces }), whole);
    // Checkpointing changes no bit of it.
    expect(await outcomeOf(groups(), settings, { pieces, keptEvery: 1 })).toEqual(cut);
  });

  it.each([
    [111, 1, { seq: 112, places: 112, pieces: 1 }],
    [112, 1, { seq: 128, places: 128, pieces: 4 }],
    [495, 1, { seq: 496, places: 496, pieces: 4 }],
    [496, 1, { seq: 512, places: 512, pieces: 16 }],
    [111, 40, { seq: 160, places: 112, pieces: 1 }],
  ])(
    'lets a prompt of %i before a completion of %i attend in pieces that divide its places',
    (prompt, completion, expected) => {
      const group = {
        prompt: { inputIds: Array.from({ length: prompt }, (_, i) => i % 200), images: [] },
        completions: [Array.from({ length: completion }, () => 1)],
      };
      const { feeds, pieces } = packGroups([group], { config: tiny.config, padId: 0, images: 'tower' });
      const places = feeds.places_of_all_prompt.shape[1];
      expect({ seq: feeds.input_ids.shape[1], places, pieces }).toEqual(expected);
    },
  );

  it('gives the same for groups of different sizes, and for completions of one token', async () => {
    const [first, second, third] = groups();
    const list: PackableGroup[] = [
      first,
      { ...second, completions: second.completions.slice(0, 1) },
      { ...third, completions: [[3], [4]] },
    ];
    const settings: LossSettings = {
      loss_type: 'grpo',
      importance_sampling_level: 'token',
      epsilon: 0.2,
      beta: 0.04,
    };
    const packed = await outcomeOf(list, settings);
    expect(packed.logProbs).toHaveLength(list.flatMap(({ completions }) => completions).flat().length);
    expectSame(packed, await outcomeOf(unpacked(list), settings));
  });

  it('computes the prompt once', () => {
    const { config } = tiny;
    const pack = (list: readonly PackableGroup[]): number =>
      packGroups(list, { config, padId: 0, images: 'tower' }).tokens;
    const [group] = groups();
    const fed = group.completions.reduce((sum, { length }) => sum + length - 1, 0);
    expect(pack([group])).toBe(group.prompt.inputIds.length + fed);
    expect(pack(unpacked([group]))).toBe(4 * group.prompt.inputIds.length + fed);
  });
});
