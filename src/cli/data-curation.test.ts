import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { recaptionServer, redPictures, threeModels } from '../curation/recaption-server.test-util.js';
import { stringify } from 'yaml';
import { registerData } from './data.js';
import { createProgram, run } from './program.js';

async function safeguard(...argv: string[]): Promise<{ code: number | undefined; error: string }> {
  let error = '';
  const program = createProgram([registerData]);
  // Commands take these settings when they are made, so each is told by itself.
  const [data] = program.commands;
  for (const command of [program, data, ...data.commands]) {
    command.configureOutput({ writeErr: (text) => (error += text) });
  }
  const code = await run(['data', ...argv], { program, err: (text) => (error += text) });
  return { code, error };
}

describe('safeguard data recaption', () => {
  it('lets the command go before the file', async () => {
    const folder = scratchFolder();
    await redPictures(join(folder, 'images'), 3);
    const { baseURL, asked } = await recaptionServer();
    const config = join(folder, 'config.yaml');
    const { captioner, rewriter, judge } = threeModels('http://127.0.0.1:1/v1');
    const here = { base_url: baseURL };
    writeFileSync(
      config,
      stringify({ captioner, rewriter: { ...rewriter, ...here }, judge: { ...judge, ...here }, limit: 3 }),
    );
    const argv = [join(folder, 'images'), join(folder, 'out'), '--config', config];
    expect(await safeguard('recaption', ...argv, '--base-url', baseURL, '--limit', '2')).toEqual({
      code: undefined,
      error: '',
    });
    expect(asked).toHaveLength(6);
    expect(readFileSync(join(folder, 'out/recaptions.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it.each<[string[], RegExp]>([
    [['images'], /missing required argument 'out'/],
    [['gone', 'out'], /cannot read gone: ENOENT.*; give a folder of images or a JSONL file/],
    [['gone', 'out', '--config', 'gone.yaml'], /Cannot read the configuration gone\.yaml/],
    [['gone', 'out', '--engine', 'openai'], /captioner: a server needs base_url/],
    [['gone', 'out', '--base-url', 'http://a/v1'], /base_url is for a server; add engine: openai/],
    [['gone', 'out', '--limit', '0'], /It must be a whole number from 1/],
  ])('refuses %j', async (argv, message) => {
    const { code, error } = await safeguard('recaption', ...argv);
    expect(code).toBe(2);
    expect(error).toMatch(message);
  });
});

describe('safeguard data llavaguard', () => {
  it.each<[string[], RegExp]>([
    [['train.csv'], /missing required argument 'out'/],
    [['gone.csv', 'out'], /Cannot read gone\.csv: ENOENT/],
    [['train.txt', 'out'], /no table that is known by its name/],
    [['train.csv', 'out', '--profile', 'mine'], /cannot be written for the profile "mine"/],
    [['train.csv', 'out', '--timeout', '0'], /It must be a number above 0/],
  ])('refuses %j', async (argv, message) => {
    const { code, error } = await safeguard('llavaguard', ...argv);
    expect(code).toBe(2);
    expect(error).toMatch(message);
  });
});
