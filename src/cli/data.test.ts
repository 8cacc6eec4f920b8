import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../iconworld/export.js';
import { SPLITS } from '../iconworld/splits.js';
import { POLICY_CHOICES } from '../iconworld/twins.js';
import { registerData } from './data.js';
import { createProgram, run } from './program.js';

const program = () => createProgram([registerData]).configureOutput({ writeErr: () => undefined });

it('writes a data set', async () => {
  const out = await mkdtemp(join(tmpdir(), 'data-'));
  try {
    const code = await run(['data', 'iconworld', out, '--scenes', '1', '--no-sheet'], { program: program() });
    expect(code).toBeUndefined();
    expect((await readFile(join(out, 'metadata.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(10);
  } finally {
    await rm(out, { recursive: true });
  }
});

it('offers what the library offers', () => {
  const command = program().commands[0].commands[0];
  const choices = (name: string) => command.options.find((option) => option.long === name)?.argChoices;
  expect(choices('--format')).toEqual(EXPORT_FORMATS);
  expect(choices('--split')).toEqual(SPLITS);
  expect(choices('--policies')).toEqual(POLICY_CHOICES);
});

it.each([
  ['--scenes', 'many'],
  ['--format', 'csv'],
  ['--scenes', '0'],
])('refuses %s %s with exit code 2', async (...more) => {
  expect(
    await run(['data', 'iconworld', join(tmpdir(), 'never-written'), ...more], {
      program: program(),
      err: () => undefined,
    }),
  ).toBe(2);
});
