import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Checkpoint } from '../checkpoint/checkpoint.js';
import { parseConfig, type Qwen2_5_VLConfig } from '../models/qwen2_5_vl/config.js';
import { type EncodedPrompt, Processor } from '../models/qwen2_5_vl/processor.js';
import { lower } from '../onnx/lower.js';
import { type HostTensors, Session } from '../runtime/session.js';
import { type GenerationSettings, Generator, type TokenRules } from './generator.js';
import { GrammarCompiler } from './grammar/token-masks.js';
import { cachedTextGraph, visionGraph } from './graphs.js';
import { promptGraph } from './prompt-graph.js';
import { piecesOf } from '../models/qwen2_5_vl/text.js';
import { sharedPromptGraph } from './shared-prompt-graph.js';
import { tokenRules } from './model.js';
import { VisionEncoder } from './vision-encoder.js';

const VOCABULARY = 1040;
const IMAGE = { width: 56, height: 56, data: new Uint8Array(3 * 56 * 56).fill(120) };

let config: Qwen2_5_VLConfig;
let processor: Processor;
let checkpoint: Checkpoint;
let prompts: EncodedPrompt[];
const sessions: Session[] = [];

beforeAll(async () => {
  checkpoint = await Checkpoint.open('test/goldens/checkpoints/tied');
  config = parseConfig(checkpoint.config);
  processor = await Processor.load(checkpoint.folder);
  const source = { read: (name: string) => checkpoint.readFloat32(name) };
  const graphs = [
    visionGraph(config),
    cachedTextGraph(config),
    sharedPromptGraph(config),
    promptGraph(config, 1),
    promptGraph(config, 16),
  ];
  for (const graph of graphs) {
    sessions.push(await Session.create(lower(graph, { fuse: 'inference', weights: 'initializer', source })));
  }
  const chats = [
    [{ type: 'text' as const, text: 'Name a rule.' }],
    [
      { type: 'image' as const, image: IMAGE },
      { type: 'text' as const, text: 'Is this gray? Say why, and say it at length.' },
    ],
    [{ type: 'text' as const, text: 'Go on.' }],
  ];
  prompts = chats.map((content) => processor.encodeChat([{ role: 'user', content }]));
});
afterAll(async () => {
  for (const session of sessions) await session.dispose();
  checkpoint.close();
});

function generators(rules: TokenRules): { copying: Generator; sharing: Generator; shapes: string[] } {
  const shapes: string[] = [];
  const watched = {
    run: (feeds: HostTensors, fetches: HostTensors) => {
      shapes.push(feeds.input_ids.shape.join('×'));
      return sessions[2].run(feeds, fetches);
    },
  };
  const parts = [config, new VisionEncoder(config, sessions[0])] as const;
  const sharing = [
    ...parts,
    { prompts: (pieces: number) => sessions[pieces === 1 ? 3 : 4], answers: () => watched },
  ] as const;
  const grammars = new GrammarCompiler(processor.tokenizer, rules.stop);
  return {
    copying: new Generator(...parts, sessions[1], rules, grammars),
    sharing: new Generator(...sharing, rules, grammars),
    shapes,
  };
}

/** Sampled answers and what a pass over each alone says of their tokens; gives the shapes of the passes. */
async function expectScored(
  stop: ReadonlySet<number>,
  settings: GenerationSettings,
  asked = prompts,
): Promise<string[]> {
  const { copying, sharing, shapes } = generators({ ...tokenRules(checkpoint, config, processor), stop });
  const answers = await sharing.generate(asked, settings);
  const n = settings.n ?? 1;
  expect(answers).toHaveLength(asked.length * n);
  expect(new Set(answers.map(({ tokens }) => tokens.join())).size).toBeGreaterThan(answers.length / 2);
  for (const [i, prompt] of asked.entries()) {
    const own = answers.slice(i * n, (i + 1) * n);
    const scores = await copying.score(
      prompt,
      own.map(({ tokens, stopId }) => (stopId === null ? tokens : [...tokens, stopId])),
    );
    own.forEach(({ logProbs }, k) => {
      expect(logProbs).toHaveLength(scores[k].length);
      logProbs.forEach((value, at) => expect(Math.abs(value - scores[k][at])).toBeLessThan(1e-4));
    });
  }
  return shapes;
}

describe('answers that share the cache of their prompt', () => {
  // More tokens than the own caches first have room for.
  const sampling = { maxNewTokens: 40, temperature: 1.5, seed: 5, n: 6 };

  it('have the log-probabilities of a pass over each alone, for prompts of different lengths', async () => {
    const shapes = await expectScored(new Set(), sampling);
    expect(shapes).toEqual(Array.from({ length: 39 }, () => '3×6'));
  });

  it('have them too behind long prompts, which attend in pieces', async () => {
    const text = 'Say what you see, and then say it again. '.repeat(60);
    const long = processor.encodeChat([{ role: 'user', content: [{ type: 'text', text }] }]);
    expect(piecesOf(long.inputIds.length)).toBe(16);
    await expectScored(new Set(), { ...sampling, maxNewTokens: 4 }, [long, prompts[1]]);
  });

  it('have them too when finished answers and finished prompts are dropped', async () => {
    const stop = new Set(Array.from({ length: VOCABULARY / 8 }, (_, i) => i * 8));
    const shapes = await expectScored(stop, sampling);
    // One that drops answers, and one that drops prompts.
    expect(new Set(shapes).size).toBeGreaterThan(2);
    expect(new Set(shapes.map((shape) => shape.split('×')[0])).size).toBeGreaterThan(1);
  });
});
