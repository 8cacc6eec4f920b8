import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../images/png.js';
import { parseSftConfig, readYaml, type SftConfig } from '../config.js';
import { type GrpoConfig, parseGrpoConfig } from '../grpo/config.js';
import { openPrompts } from '../grpo/prompts.js';
import { openSource } from '../sources.js';
import { noise, sharedFolder } from '../tiny-model.test-util.js';
import { GRPO_ENGINES, type GrpoEngine, SFT_ENGINES, type SftEngine } from './engines.js';
import { exportGrpo, exportSft } from './export.js';

const EXAMPLES = 'examples';
const scratch = sharedFolder();

const files = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));
const isGrpo = (json: unknown): boolean => typeof json === 'object' && json !== null && 'preset' in json;
const jsonOf = (file: string): unknown => readYaml(join(EXAMPLES, file));

/** The example's own settings; only what is written out is a few rows instead of thousands. */
const FEW = 2;

const grpo = files.filter((file) => isGrpo(jsonOf(file)));
const sft = files.filter((file) => !isGrpo(jsonOf(file)));

it('there are examples of both', () => {
  expect(grpo).toContain('grpo.yaml');
  expect(sft).toEqual(expect.arrayContaining(['sft.yaml', 'recaption-sft.yaml']));
});

describe.each(Object.keys(GRPO_ENGINES) as GrpoEngine[])('GRPO examples with %s', (engine) => {
  it.each(grpo)('%s is taken as it is', async (file) => {
    const json = jsonOf(file);
    const config: GrpoConfig = parseGrpoConfig(json, file);
    const few = {
      ...config,
      steps: 1,
      prompts_per_step: FEW,
      evaluation: { ...config.evaluation, prompts: FEW },
    };
    const folder = join(scratch, `${engine}-${file}`);
    const { rows } = await exportGrpo(engine, few, openPrompts, { file, json, folder });
    expect(rows).toBe(FEW);
  });
});

describe.each(Object.keys(SFT_ENGINES) as SftEngine[])('SFT examples with %s', (engine) => {
  it.each(sft)('%s is taken as it is', async (file) => {
    const json = jsonOf(file);
    let config: SftConfig = parseSftConfig(json, file);
    if (config.data.source === 'jsonl') {
      // What the commands before it would have written.
      const made = join(scratch, 'rows');
      mkdirSync(made, { recursive: true });
      writeFileSync(join(made, 'a.png'), await encodePng(noise(56, 56, 1)));
      const line = JSON.stringify({ prompt: 'What is there?', answer: 'A cat.', images: ['a.png'] });
      writeFileSync(join(made, 'rows.jsonl'), `${line}\n`);
      config = { ...config, data: { ...config.data, file: join(made, 'rows.jsonl') } };
    }
    const few = { ...config, steps: 1, batch_size: FEW, micro_batch_size: FEW };
    const folder = join(scratch, `${engine}-${file}`);
    const { rows } = await exportSft(engine, few, openSource, { file, json, folder });
    expect(rows).toBe(FEW);
  });
});

it('models of examples are names, so that they work from any folder', () => {
  for (const file of files) {
    expect(jsonOf(file)).toMatchObject({ model: 'safeguard-vl-tiny' });
    // A copy elsewhere is the same file.
    cpSync(join(EXAMPLES, file), join(scratch, file));
    expect(readFileSync(join(scratch, file), 'utf8')).not.toMatch(/\.\.\/|models\//u);
  }
});
