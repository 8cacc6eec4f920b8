import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { loadSftConfig } from '../training/config.js';
import { loadRecaptionConfig, parseRecaptionConfig } from './recaption-config.js';
import { filled, readJudgement, WORLDS } from './recaption-prompts.js';

const server = { engine: 'openai', base_url: 'http://localhost:8000/v1', model: 'Qwen' } as const;

describe('the settings of a recaption run', () => {
  it('are the embedded model over IconWorld where nothing is said', () => {
    expect(parseRecaptionConfig({})).toMatchObject({
      world: 'iconworld',
      captioner: { engine: 'local' },
      rewriter: 'icons',
      judge: 'facts',
      prompts: WORLDS.iconworld.prompts,
    });
    expect(parseRecaptionConfig({ captioner: server })).toMatchObject({
      world: 'photos',
      rewriter: 'captioner',
      judge: 'captioner',
      temperature: { caption: 0, rewrite: 0.7 },
    });
  });

  it('replace single prompts of the table', () => {
    const { prompts } = parseRecaptionConfig({ captioner: server, prompts: { ask: ['Well?'] } });
    expect(prompts).toEqual({ ...WORLDS.photos.prompts, ask: ['Well?'] });
  });

  it.each<[unknown, RegExp]>([
    [[], /must hold settings/],
    [{ word: 'photos' }, /there is no setting 'word'/],
    [{ world: 'mars' }, /world: .*photos/],
    [{ judge: 'icons' }, /judge/],
    [{ captioner: { ...server, base_url: undefined } }, /captioner: a server needs base_url/],
    [
      { captioner: server, judge: { engine: 'openai', base_url: 'http://a' } },
      /judge: a server needs .* model/,
    ],
    [{ captioner: { ...server, adapter: 'a' } }, /start the server with the adapter/],
    [{ captioner: { model: 'a', api_key_env: 'KEY' } }, /api_key_env is for a server; add engine: openai/],
    [{ prompts: { rewrite: 'Better!' } }, /prompts\.rewrite must hold \{caption\}/],
    [{ prompts: { judge: 'Good?' } }, /prompts\.judge must hold \{recaption\}/],
    [{ prompts: { caption: [] } }, /prompts\.caption/],
    [{ prompts: 'none' }, /prompts/],
    [{ attempts: 0 }, /attempts/],
  ])('refuse %j', (json, message) => {
    expect(() => parseRecaptionConfig(json)).toThrow(message);
  });

  it('come from a file and from the command, which goes first', () => {
    const file = join(scratchFolder(), 'recaption.yaml');
    writeFileSync(file, 'seed: 7\nlimit: 3\ncaptioner: { model: one, adapter: two }\n');
    const config = loadRecaptionConfig(file, { limit: 9, captioner: { model: 'other' } });
    expect(config).toMatchObject({ seed: 7, limit: 9, captioner: { model: 'other', adapter: 'two' } });
    expect(loadRecaptionConfig(undefined)).toMatchObject({ world: 'iconworld' });
    writeFileSync(file, 'captioner: facts\n');
    expect(() => loadRecaptionConfig(file)).toThrow(/recaption\.yaml is not valid: captioner/);
    writeFileSync(file, 'just words');
    expect(() => loadRecaptionConfig(file)).toThrow(/recaption\.yaml must hold settings/);
    writeFileSync(file, '');
    expect(loadRecaptionConfig(file)).toMatchObject({ world: 'iconworld' });
  });
});

describe('readJudgement', () => {
  it.each<[string, ReturnType<typeof readJudgement>]>([
    ['yes', { passes: true, reason: 'the judge gives no reason' }],
    ['No, there is no dog.', { passes: false, reason: 'there is no dog.' }],
    ['**NO** — too short\nreally', { passes: false, reason: 'too short' }],
    ['"Yes."', { passes: true, reason: 'the judge gives no reason' }],
    ['Nothing is wrong', null],
    ['yesterday', null],
    ['The answer is yes', null],
    ['', null],
  ])('%j', (answer, expected) => {
    expect(readJudgement(answer)).toEqual(expected);
  });
});

it('filled leaves unknown places alone', () => {
  expect(filled('{a} {b} {a}', { a: '{b}' })).toBe('{b} {b} {b}');
});

it("examples/recaption-sft.yaml has the paper's settings", () => {
  const config = loadSftConfig('examples/recaption-sft.yaml');
  expect(config).toMatchObject({
    batch_size: 64,
    vision: 'frozen',
    lora: { r: 64, alpha: 128, dropout: 0.05, target_modules: 'all-linear' },
    optimizer: { lr: 1e-4, weight_decay: 1e-3 },
    data: { source: 'jsonl' },
  });
  expect(config.schedule.warmup_steps / config.steps).toBe(0.05);
});
