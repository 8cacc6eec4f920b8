import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { scratchFolder } from '../files.test-util.js';
import { writeSafetensors } from '../safetensors.js';
import { type PushProgress, pushModel } from './push.js';
import type { HubSettings } from './settings.js';
import { type StandInHub, standInHub, type Trouble } from './stand-in-hub.test-util.js';
import { folderUpload, refuseSecretText } from './upload-files.js';

const TOKEN = 'hf_secretsecretsecretsecretsecret';
const REPO = 'me/guard';

/** The smallest folder that is a checkpoint, and what training leaves beside it. */
async function checkpointFolder(): Promise<string> {
  const folder = scratchFolder();
  const text = { 'config.json': '{"model_type": "x"}', 'tokenizer.json': '{}', 'trainer_state.json': '{}' };
  for (const [name, content] of Object.entries(text)) writeFileSync(join(folder, name), content);
  const tensor = { name: 'w', dtype: 'F32', shape: [64], data: new Float32Array(64).fill(0.5) } as const;
  await writeSafetensors(join(folder, 'model.safetensors'), [tensor]);
  await writeSafetensors(join(folder, 'optimizer.safetensors'), [tensor]);
  return folder;
}

async function hub(more: Partial<HubSettings> = {}): Promise<{ hub: StandInHub; settings: HubSettings }> {
  const made = await standInHub({});
  onTestFinished(() => made.close());
  return { hub: made, settings: made.settings(scratchFolder(), { token: TOKEN, ...more }) };
}

const message = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  expect(error).toHaveProperty('name', 'UserError');
  const text = error instanceof Error ? error.message : '';
  // Neither the token nor a signed address.
  expect(text).not.toMatch(/secretsecret|signature/);
  return text;
};

/** Answers requests of this kind with a status, as often as told. */
const answers = (kind: RegExp, status: number, times = Number.POSITIVE_INFINITY): Trouble => {
  let left = times;
  return (request, response) => {
    if (!kind.test(`${request.method} ${request.url}`) || left === 0) return false;
    left -= 1;
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"error": "no"}');
    return true;
  };
};

describe('a push', () => {
  it('makes the repository and commits what a model needs, all at once', async () => {
    const { hub: own, settings } = await hub();
    const folder = await checkpointFolder();
    const { files, leftOut, kind } = await folderUpload(folder);
    expect(kind).toBe('model');
    expect(leftOut).toEqual([
      { path: 'optimizer.safetensors', why: 'only needed to go on training' },
      { path: 'trainer_state.json', why: 'only needed to go on training' },
    ]);
    const seen: PushProgress[] = [];
    const card = { path: 'README.md', size: 6, source: { text: '# Card' } };
    const result = await pushModel(REPO, [card, ...files], {
      settings,
      onProgress: (progress) => seen.push(progress),
    });
    expect(result).toEqual({ url: `${own.endpoint}/${REPO}`, commit: expect.stringMatching(/^[0-9d]{40}$/) });
    const repo = own.repos.get(REPO);
    expect(repo).toMatchObject({ private: false, commits: ['commit'] });
    expect([...(repo?.files.keys() ?? [])].sort()).toEqual([
      '.gitattributes',
      'README.md',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    for (const name of ['config.json', 'model.safetensors'])
      expect(repo?.files.get(name)?.equals(readFileSync(join(folder, name)))).toBe(true);
    expect(repo?.files.get('README.md')?.toString()).toBe('# Card');
    const total = files.reduce((sum, { size }) => sum + size, 6);
    expect(seen.at(-1)).toEqual({ name: REPO, total, sent: total });
  });

  it('makes a private repository, and never fills a public one under that name', async () => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    await pushModel(REPO, files, { settings, isPrivate: true });
    expect(own.repos.get(REPO)?.private).toBe(true);
    own.repos.set('me/open', { private: false, files: new Map(), commits: [] });
    expect(await message(pushModel('me/open', files, { settings, isPrivate: true, update: true }))).toMatch(
      /^me\/open is there and public: make it private on its settings page first, or leave --private out/,
    );
    expect(own.repos.get('me/open')?.commits).toEqual([]);
  });

  it('adds to a repository with files only when told, and sends no large file twice', async () => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    await pushModel(REPO, files, { settings });
    expect(await message(pushModel(REPO, files, { settings }))).toMatch(
      /^me\/guard is there already and has files: give --update to add a commit to it, or another name\.$/,
    );
    await pushModel(REPO, files, { settings, update: true });
    expect(own.repos.get(REPO)?.commits).toHaveLength(2);
    expect(own.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1);
  });

  it('goes on where it was cut off: an empty repository is filled', async () => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    own.trouble = answers(/commit\/main/, 403);
    await message(pushModel(REPO, files, { settings }));
    expect(own.repos.get(REPO)?.files.size).toBe(1);
    own.trouble = () => false;
    await pushModel(REPO, files, { settings });
    expect(own.repos.get(REPO)?.files.size).toBe(4);
    expect(own.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1);
  });

  it('is patient with a hub that is busy for a while, in every kind of request', async () => {
    for (const kind of [/repos\/create/, /preupload/, /objects\/batch/, /^PUT/, /commit\/main/]) {
      const { hub: own, settings } = await hub();
      const { files } = await folderUpload(await checkpointFolder());
      own.trouble = answers(kind, 503, 3);
      await pushModel(REPO, files, { settings });
      expect(own.repos.get(REPO)?.commits).toHaveLength(1);
    }
  });

  it('takes a repository that its own lost request has made', async () => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    let lost = false;
    own.trouble = (request, response) => {
      if (lost || !request.url?.includes('repos/create')) return false;
      lost = true;
      own.repos.set(REPO, { private: false, files: new Map(), commits: [] });
      response.destroy();
      return true;
    };
    await pushModel(REPO, files, { settings });
    expect(own.repos.get(REPO)?.commits).toHaveLength(1);
  });

  it.each<[string, RegExp, number, RegExp]>([
    ['an unknown token', /revision/, 401, /was not uploaded: the hub does not know this token \(HTTP 401\)/],
    [
      'a token that may not make it',
      /create/,
      403,
      /this token may not write there \(HTTP 403\): give it write access to me,/,
    ],
    ['a token that may only read', /preupload/, 403, /\(HTTP 403\)/],
    [
      'another commit meanwhile',
      /commit/,
      409,
      /somebody else changed it meanwhile \(HTTP 409\): run the command again/,
    ],
    [
      'a file that is too large',
      /batch/,
      413,
      /larger than the hub takes \(HTTP 413\): write .* smaller shards/,
    ],
    ['a storage that refuses', /^PUT/, 418, /the hub refuses it \(HTTP 418\); check the name/],
    [
      'a hub that stays broken',
      /commit/,
      500,
      /^me\/guard could not be uploaded: the hub answers HTTP 500; .* what has arrived is not sent twice/,
    ],
  ])('says in a sentence what to do about %s', async (_, kind, status, expected) => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    own.trouble = answers(kind, status);
    expect(await message(pushModel(REPO, files, { settings }))).toMatch(expected);
    expect(own.repos.get(REPO)?.commits ?? []).toEqual([]);
  });

  it('says so where there is no hub, or none that speaks', async () => {
    const { hub: own, settings } = await hub();
    const { files } = await folderUpload(await checkpointFolder());
    own.trouble = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>');
      return true;
    };
    expect(await message(pushModel(REPO, files, { settings }))).toMatch(
      /what answers is no hub; check HF_ENDPOINT/,
    );
    await own.close();
    expect(await message(pushModel(REPO, files, { settings }))).toMatch(
      /could not be uploaded: http:\/\/127\.0\.0\.1:\d+ cannot be reached \(.*\); check the connection/,
    );
  });

  it.each<[Partial<HubSettings>, RegExp]>([
    [{ token: null }, /needs a token with write access: set HF_TOKEN or run `hf auth login`/],
    [{ token: 'secretsecret' }, /does not begin with hf_: set it again/],
    [{ offline: true }, /HF_HUB_OFFLINE is set, so nothing can be uploaded/],
  ])('asks the hub nothing with %j', async (more, expected) => {
    const { hub: own, settings } = await hub(more);
    expect(await message(pushModel(REPO, [], { settings }))).toMatch(expected);
    expect(own.requests).toEqual([]);
  });

  it.each([
    'guard',
    'me/',
    'a/b/c',
    '../x/y',
    'me/..',
    'me/-x',
    'me/x.git',
    'me/a b',
    'me/a--b',
    'https://h/me/x',
  ])('refuses %s as a name', async (name) => {
    const { settings } = await hub();
    expect(await message(pushModel(name, [], { settings }))).toMatch(
      /is no name of a repository: give org\/name/,
    );
  });
});

describe('a folder to upload', () => {
  it('must hold a whole model or adapter', async () => {
    const folder = await checkpointFolder();
    writeFileSync(
      join(folder, 'model.safetensors'),
      readFileSync(join(folder, 'model.safetensors')).subarray(0, 200),
    );
    expect(await message(folderUpload(folder))).toMatch(/model\.safetensors/);
    expect(await message(folderUpload(join(folder, 'gone')))).toMatch(
      /is no folder: give a checkpoint or adapter/,
    );
    const empty = scratchFolder();
    expect(await message(folderUpload(empty))).toMatch(
      /is no checkpoint and no adapter \(config\.json, tokenizer\.json, model\.safetensors missing\): give a folder with/,
    );
    writeFileSync(join(empty, 'metrics.jsonl'), '');
    expect(await message(folderUpload(empty))).toMatch(
      /give one of the folders in this run, best or checkpoint-STEP/,
    );
  });

  it.each([
    '.env',
    '.env.local',
    'id_ed25519',
    'server.pem',
    'deep/token',
    'credentials.json',
    'hf_token.txt',
    '.netrc',
  ])('is refused with a %s in it', async (name) => {
    const folder = await checkpointFolder();
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, name), 'anything');
    expect((await message(folderUpload(folder))).replaceAll('\\', '/')).toMatch(
      new RegExp(`${name.replaceAll('.', '\\.')} looks like a secret: move it out`),
    );
  });

  it('is taken with files that only sound like it', async () => {
    const folder = await checkpointFolder();
    for (const name of [
      'tokenizer_config.json',
      'added_tokens.json',
      'special_tokens_map.json',
      'keyboard.txt',
    ])
      writeFileSync(join(folder, name), '{}');
    expect((await folderUpload(folder)).files).toHaveLength(6);
  });

  it.each([
    ['a Hugging Face token', `{"token": "hf_${'a'.repeat(34)}"}`],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['an AWS key', `AKIA${'B'.repeat(16)}`],
    ['a GitHub token', `ghp_${'c'.repeat(36)}`],
    ['an API key', `sk-proj-${'d'.repeat(48)}`],
  ])('is refused with %s in a file, which is not repeated', async (kind, text) => {
    const folder = await checkpointFolder();
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ x: text }));
    const said = await message(folderUpload(folder));
    expect(said).toMatch(new RegExp(`^config\\.json seems to hold ${kind}: take it out`));
    expect(said).not.toContain(text);
    expect(() => refuseSecretText({ path: 'README.md', size: 1, source: { text } })).toThrow(
      /README\.md seems/,
    );
  });
});
