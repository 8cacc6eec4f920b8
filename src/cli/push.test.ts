import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { standInHub } from '../checkpoint/hub/stand-in-hub.test-util.js';
import { sharedFolder, writeTinyModel } from '../training/tiny-model.test-util.js';
import { createProgram, run } from './program.js';
import { registerPush } from './push.js';

const scratch = sharedFolder();
let model = '';
beforeAll(async () => {
  model = await writeTinyModel(scratch);
});

const TOKEN = 'hf_secretsecretsecretsecretsecret';

/** Runs `safeguard push …` towards a hub, and gives its exit code and all that it wrote. */
async function push(
  endpoint: string,
  ...argv: string[]
): Promise<{ code: number | undefined; out: string; err: string }> {
  let out = '';
  let err = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.stubEnv('HF_ENDPOINT', endpoint);
  vi.stubEnv('HF_TOKEN', TOKEN);
  vi.stubEnv('HF_HUB_OFFLINE', '');
  try {
    const program = createProgram([registerPush]);
    const code = await run(['push', ...argv], { program, err: (text) => (err += text) });
    return { code, out, err };
  } finally {
    write.mockRestore();
    vi.unstubAllEnvs();
  }
}

async function hub() {
  const made = await standInHub({});
  onTestFinished(() => made.close());
  return made;
}

describe('safeguard push', () => {
  it('writes and prints the card first, and asks the hub nothing', async () => {
    const own = await hub();
    const card = join(model, 'README.md');
    onTestFinished(() => rmSync(card, { force: true }));
    const first = await push(own.endpoint, model, 'me/guard', '--dry-run', '--license', 'mit');
    expect(first.code).toBeUndefined();
    expect(first.out).toContain(readFileSync(card, 'utf8'));
    expect(first.out).toMatch(/\d files, [\d.]+ kB, would be sent:\n +[\d.]+ kB {2}README\.md\n/);
    expect(first.out).toMatch(/ kB {2}model\.safetensors\n/);
    expect(first.out).toContain(`The card was written to ${card}; edit it there`);
    expect((await push(own.endpoint, model, 'me/guard', '--dry-run')).out).toContain('which was there');
    expect(own.requests).toEqual([]);
    expect(first.out + first.err).not.toContain(TOKEN);
  });

  it('uploads, tells where, and leaves the folder as it was', async () => {
    const own = await hub();
    const { code, out, err } = await push(own.endpoint, model, 'me/guard', '--license', 'mit', '--private');
    expect({ code, err }).toEqual({ code: undefined, err: '' });
    expect(out).toMatch(new RegExp(`^${own.endpoint}/me/guard \\(commit [0-9d]{40}\\)\n$`));
    const repo = own.repos.get('me/guard');
    expect(repo?.private).toBe(true);
    expect(repo?.files.get('README.md')?.toString()).toContain('license: mit');
    expect(repo?.files.get('model.safetensors')?.equals(readFileSync(join(model, 'model.safetensors')))).toBe(
      true,
    );
    expect(existsSync(join(model, 'README.md'))).toBe(false);
    const again = await push(own.endpoint, model, 'me/guard', '--license', 'mit');
    expect(again).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^error: me\/guard is there already/),
    });
    expect(again.err).not.toContain(TOKEN);
  });

  it.each([
    [['MODEL', 'guard'], /^error: "guard" is no name of a repository/],
    [['MODEL', 'me/guard'], /^error: The licence of model is not known here: give --license/],
    [['/nowhere', 'me/guard'], /^error: \/nowhere is no folder: give a checkpoint or adapter folder\.$/],
  ])('%j ends with 2 and one sentence', async (argv, expected) => {
    const own = await hub();
    const { code, err } = await push(own.endpoint, ...argv.map((word) => (word === 'MODEL' ? model : word)));
    expect(code).toBe(2);
    expect(err).toMatch(expected);
    expect(own.requests).toEqual([]);
  });
});
