import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { scratchFolder } from '../files.test-util.js';
import { EMBEDDED_MODEL, EMBEDDED_NAME } from '../embedded.js';
import { cachedModels, isHubName } from './cache.js';
import { lock } from './lock.js';
import { type DownloadProgress, resolveModel, type ResolveOptions } from './resolve.js';
import { hubSettings } from './settings.js';
import {
  COMMIT,
  gitHash,
  NAME,
  type StandInHub,
  standInHub,
  type Trouble,
} from './stand-in-hub.test-util.js';

const WEIGHTS = randomBytes(300_000);
const FILES: Readonly<Record<string, Buffer>> = {
  'config.json': Buffer.from('{"model_type": "x"}'),
  'tokenizer.json': Buffer.from('{}'),
  'model.safetensors': WEIGHTS,
  'README.md': Buffer.from('not needed'),
  'pytorch_model.bin': Buffer.alloc(1000),
};

async function hubWith(
  files: Readonly<Record<string, Buffer>> = FILES,
  pace: { chunk?: number; pause?: number } = {},
): Promise<{ hub: StandInHub; cache: string; get: (options?: ResolveOptions) => Promise<string> }> {
  const hub = await standInHub(files, pace);
  onTestFinished(() => hub.close());
  const cache = scratchFolder();
  return {
    hub,
    cache,
    get: (options = {}) => resolveModel(NAME, { settings: hub.settings(cache), ...options }),
  };
}

const message = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  expect(error).toHaveProperty('name', 'UserError');
  return error instanceof Error ? error.message : '';
};

describe('the embedded model', () => {
  it('is known by its name, and no hub is asked', async () => {
    expect(await resolveModel(EMBEDDED_NAME)).toBe(EMBEDDED_MODEL);
  });
});

describe('a model of the hub', () => {
  it('is fetched into the layout of Python’s cache, once', async () => {
    const { hub, cache, get } = await hubWith();
    const seen: DownloadProgress[] = [];
    const folder = await get({ onProgress: (progress) => seen.push(progress) });
    expect(folder).toBe(join(cache, 'models--org--model/snapshots', COMMIT));
    expect(readdirSync(folder).toSorted()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(readlinkSync(join(folder, 'config.json'))).toBe(`../../blobs/${gitHash(FILES['config.json'])}`);
    expect(readFileSync(join(cache, 'models--org--model/refs/main'), 'utf8')).toBe(COMMIT);
    const blobs = readdirSync(join(cache, 'models--org--model/blobs'));
    expect(blobs).toHaveLength(3);
    expect(blobs.every((name) => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toBe(true);
    const size = 300_000 + 19 + 2;
    expect(seen.at(-1)).toEqual({ name: NAME, total: size, received: size, filesLeft: 0 });
    expect(seen.map(({ received }) => received)).toEqual(
      seen.map(({ received }) => received).toSorted((a, b) => a - b),
    );

    const before = hub.requests.length;
    expect(await get()).toBe(folder);
    // The list is asked for again, no file is.
    expect(hub.requests.slice(before).every((request) => request.includes('/api/'))).toBe(true);
    expect(cachedModels(cache)).toEqual([{ name: NAME, revision: 'main', folder, size, complete: true }]);
  });

  it('that Python has fetched is found without the hub', async () => {
    const { cache, hub } = await hubWith();
    const folder = join(cache, 'models--org--model/snapshots', COMMIT);
    mkdirSync(join(cache, 'models--org--model/refs'), { recursive: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(cache, 'models--org--model/refs/main'), COMMIT);
    for (const name of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      writeFileSync(join(folder, name), FILES[name]);
    }
    const settings = hub.settings(cache, { offline: true });
    expect(await resolveModel(NAME, { settings })).toBe(folder);
    expect(await resolveModel(`${NAME}@${COMMIT}`, { settings })).toBe(folder);
    expect(hub.requests).toEqual([]);
    await hub.close();
    // Not offline, but the hub is gone: what is there whole is used.
    expect(await resolveModel(NAME, { settings: hub.settings(cache) })).toBe(folder);
  });

  it('is not found where there is none', async () => {
    const { cache, hub } = await hubWith();
    const offline = { settings: hub.settings(cache, { offline: true }) };
    expect(await message(resolveModel(NAME, offline))).toMatch(
      /is not in the cache .* HF_HUB_OFFLINE is set/,
    );
    expect(await message(resolveModel('nowhere', offline))).toMatch(
      /nowhere does not exist: give a checkpoint folder, .* the name of a model/,
    );
    expect(await message(resolveModel('org/model@../../x', offline))).toMatch(/is no revision/);
    expect(isHubName('../model')).toBe(false);
    expect(isHubName('a/..')).toBe(false);
    expect(await resolveModel('models', offline)).toBe('models');
  });

  it('behind redirects is fetched, and the token stays with the hub', async () => {
    const { hub, cache } = await hubWith();
    const elsewhere = await standInHub(FILES);
    onTestFinished(() => elsewhere.close());
    const tokens: (string | undefined)[] = [];
    elsewhere.trouble = (request) => {
      tokens.push(request.headers.authorization);
      return false;
    };
    const own: (string | undefined)[] = [];
    hub.trouble = (request, response) => {
      own.push(request.headers.authorization);
      if (!request.url?.includes('/resolve/')) return false;
      response.writeHead(302, { location: `${elsewhere.endpoint}${request.url}` }).end();
      return true;
    };
    await resolveModel(NAME, { settings: hub.settings(cache, { token: 'hf_secret' }) });
    expect(new Set(own)).toEqual(new Set(['Bearer hf_secret']));
    expect(tokens).toEqual([undefined, undefined, undefined]);
  });
});

/** Answers the first requests for the weights with trouble, the later ones as a hub does. */
const times = (count: number, trouble: (response: Parameters<Trouble>[1]) => void): Trouble => {
  let left = count;
  return (request, response) => {
    if (!request.url?.includes('model.safetensors') || left === 0) return false;
    left -= 1;
    trouble(response);
    return true;
  };
};

/** Answers the list of files with another one. */
const listing =
  (list: () => unknown): Trouble =>
  (request, response) => {
    if (!request.url?.includes('/tree/')) return false;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list()));
    return true;
  };

describe('files that are not wanted', () => {
  it.each(['assets/image (1).png', '截图.png', 'a?b/x', 'a\\b', ' ', '..', `${'x'.repeat(300)}.bin`])(
    'may be called %j',
    async (name) => {
      const { hub, cache, get } = await hubWith();
      const files: unknown = await (await fetch(`${hub.endpoint}/api/models/${NAME}/tree/${COMMIT}`)).json();
      hub.trouble = listing(() => [...(files as object[]), { type: 'file', path: name, size: -1, oid: 7 }]);
      expect(readdirSync(await get()).toSorted()).toEqual([
        'config.json',
        'model.safetensors',
        'tokenizer.json',
      ]);
      expect(readdirSync(join(cache, 'models--org--model/blobs'))).toHaveLength(3);
    },
  );
});

describe('a cache that holds the whole model', () => {
  const NEW = 'd'.repeat(40);
  /** The hub has a newer commit with other weights. */
  const renewed: Trouble = (request, response) => {
    const json = (value: unknown): boolean => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      return true;
    };
    if (request.url?.includes('/revision/'))
      return json({ _id: '1', id: NAME, sha: NEW, private: false, likes: 0 });
    if (!request.url?.includes('/tree/')) return false;
    const file = (path: string, length: number, oid: string): object => ({
      type: 'file',
      path,
      size: length,
      oid,
    });
    return json([
      ...['config.json', 'tokenizer.json'].map((name) =>
        file(name, FILES[name].length, gitHash(FILES[name])),
      ),
      { ...file('model.safetensors', 9, ''), lfs: { oid: 'a'.repeat(64), size: 9, pointerSize: 130 } },
    ]);
  };

  it('is used when the hub is silent', async () => {
    const { hub, cache, get } = await hubWith();
    const folder = await get();
    hub.trouble = () => true;
    expect(await resolveModel(NAME, { settings: hub.settings(cache, { silenceMs: 50 }) })).toBe(folder);
  });

  it('is used when what is new cannot be fetched', async () => {
    const { hub, cache, get } = await hubWith();
    const folder = await get();
    hub.trouble = renewed;
    expect(await resolveModel(NAME, { settings: hub.settings(cache) })).toBe(folder);
  });

  it('is used when it cannot be written, as long as nothing is missing', async () => {
    const { hub, cache, get } = await hubWith();
    const folder = await get();
    // Root may write anywhere, so the folder of the blobs is no folder: what would be written fails as on a read-only disk.
    const blobs = join(cache, 'models--org--model/blobs');
    const kept = join(cache, 'kept');
    mkdirSync(kept);
    for (const name of readdirSync(folder)) {
      writeFileSync(join(kept, name), readFileSync(join(folder, name)));
      rmSync(join(folder, name));
      writeFileSync(join(folder, name), readFileSync(join(kept, name)));
    }
    rmSync(blobs, { recursive: true });
    writeFileSync(blobs, 'no folder');
    expect(await get()).toBe(folder);
    hub.trouble = renewed;
    expect(await get()).toBe(folder);
    rmSync(join(folder, 'config.json'));
    hub.trouble = () => false;
    expect(await message(get())).toMatch(/cannot be fetched into .*change the permissions, or set HF_HOME/);
  });

  it('is used when a lock is left that nobody frees', async () => {
    const { hub, cache, get } = await hubWith();
    await get();
    hub.trouble = renewed;
    const blob = join(cache, 'models--org--model/blobs', `${'a'.repeat(64)}.lock`);
    writeFileSync(blob, '1@another-host');
    const settings = hub.settings(cache, { lockTimes: { beatMs: 20, staleMs: 100 } });
    expect(await resolveModel(NAME, { settings })).toContain(COMMIT);
    expect(existsSync(blob)).toBe(false);
  });
});

describe('locks', () => {
  const TIMES = { beatMs: 20, staleMs: 200 };
  it.each<[string, string]>([
    ['an empty file', ''],
    ['another host', '1@another-host'],
    ['a process number that is used again', `${process.pid}@${hostname()}@before`],
    ['no number', `x@${hostname()}`],
  ])('that nobody frees are taken over: %s', async (_, content) => {
    const path = join(scratchFolder(), 'x.lock');
    writeFileSync(path, content);
    const unlock = await lock(path, undefined, TIMES);
    expect(readFileSync(path, 'utf8')).not.toBe(content);
    await unlock();
    expect(existsSync(path)).toBe(false);
  });

  it('left long ago are taken over at once', async () => {
    const path = join(scratchFolder(), 'x.lock');
    writeFileSync(path, '1@another-host');
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(path, longAgo, longAgo);
    // With the default times: watching it would take half a minute.
    const unlock = await lock(path);
    expect(readFileSync(path, 'utf8')).toContain(hostname());
    await unlock();
  });

  it('whose holder lives are waited for, however long that takes, and go to one waiter after the other', async () => {
    const path = join(scratchFolder(), 'x.lock');
    const unlock = await lock(path, undefined, TIMES);
    let inside = 0;
    let most = 0;
    const waiters = Array.from({ length: 4 }, async () => {
      const free = await lock(path, undefined, TIMES);
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 10));
      inside -= 1;
      await free();
    });
    await new Promise((resolve) => setTimeout(resolve, 5 * TIMES.staleMs));
    expect(inside).toBe(0);
    await unlock();
    await Promise.all(waiters);
    expect(most).toBe(1);
  });

  it('are waited for until the signal', async () => {
    const path = join(scratchFolder(), 'x.lock');
    const unlock = await lock(path);
    await expect(lock(path, AbortSignal.timeout(50))).rejects.toThrow(/abort/i);
    await unlock();
  });
});

describe('trouble that passes', () => {
  it.each<[string, Trouble]>([
    ['429', times(2, (response) => response.writeHead(429, { 'retry-after': '1' }).end())],
    ['503', times(3, (response) => response.writeHead(503).end())],
    ['a reset', times(2, (response) => response.destroy())],
    [
      'a cut in the middle',
      times(3, (response) => {
        response.writeHead(200, { 'content-length': WEIGHTS.length });
        response.write(WEIGHTS.subarray(0, 100_000), () => response.destroy());
      }),
    ],
    ['a wrong checksum', times(1, (response) => response.writeHead(200).end(Buffer.alloc(WEIGHTS.length)))],
    ['too many bytes', times(1, (response) => response.writeHead(200).end(Buffer.alloc(400_000)))],
  ])('%s is waited out', async (_, trouble) => {
    const { hub, get } = await hubWith();
    hub.trouble = trouble;
    const folder = await get();
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
  });

  it('a cut file is gone on with where it was cut', async () => {
    const { hub, get } = await hubWith();
    hub.trouble = times(1, (response) => {
      response.writeHead(200, { 'content-length': WEIGHTS.length });
      response.write(WEIGHTS.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
    });
    await get();
    const asked = hub.requests.filter((request) => request.includes('model.safetensors'));
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatch(/bytes=100000-$/);
    expect(hub.sent.get('model.safetensors')).toBe(200_000);
  });

  it('a range that is ignored costs the beginning, and nothing is mixed up', async () => {
    const { hub, cache, get } = await hubWith();
    const blobs = join(cache, 'models--org--model/blobs');
    await get();
    const [blob] = readdirSync(blobs).filter((name) => name.length === 64);
    const other = scratchFolder();
    mkdirSync(join(other, 'models--org--model/blobs'), { recursive: true });
    writeFileSync(join(other, `models--org--model/blobs/${blob}.incomplete`), WEIGHTS.subarray(0, 1000));
    hub.trouble = times(1, (response) => response.writeHead(200).end(WEIGHTS));
    const folder = await resolveModel(NAME, { settings: hub.settings(other) });
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
  });
});

describe('trouble that stays', () => {
  const all =
    (status: number): Trouble =>
    (_, response) => {
      response.writeHead(status).end();
      return true;
    };
  const files =
    (status: number): Trouble =>
    (request, response) => {
      if (!request.url?.includes('/resolve/')) return false;
      response.writeHead(status).end();
      return true;
    };

  it.each<[string, Trouble, RegExp]>([
    [
      '401',
      all(401),
      /org\/model needs a sign-in \(HTTP 401\): ask for access on its page, then set HF_TOKEN/,
    ],
    ['403 on a gated file', files(403), /of org\/model needs a sign-in \(HTTP 403\)/],
    ['404', all(404), /org\/model is not on the hub \(HTTP 404\)/],
    ['404 of a file', files(404), /of org\/model is not on the hub/],
    [
      '429 for an hour',
      (_, response) => (response.writeHead(429, { 'retry-after': '3600' }).end(), true),
      /the hub answers HTTP 429; check the connection/,
    ],
    ['500', all(500), /could not be fetched: the hub answers HTTP 500/],
    ['418', all(418), /the hub answers HTTP 418; check HF_ENDPOINT/],
    [
      'HTML',
      (_, response) => (response.writeHead(200).end('<html>'), true),
      /tells of something that cannot be; check HF_ENDPOINT/,
    ],
    [
      'a circle of redirects',
      (_, response) => (response.writeHead(302, { location: '/api/x' }).end(), true),
      /redirects more than 5 times/,
    ],
    [
      'a redirect elsewhere',
      (_, response) => (response.writeHead(302, { location: 'file:///etc/passwd' }).end(), true),
      /redirects to file:\/\/, which is not followed/,
    ],
    [
      'a wrong checksum again and again',
      times(99, (response) => response.writeHead(200).end(Buffer.alloc(WEIGHTS.length))),
      /arrived with another checksum than the hub tells/,
    ],
  ])('%s is one sentence', async (_, trouble, expected) => {
    const { hub, cache, get } = await hubWith();
    hub.trouble = trouble;
    expect(await message(get())).toMatch(expected);
    expect(existsSync(join(cache, 'models--org--model/refs/main'))).toBe(false);
  });

  it('does not show the token', async () => {
    const { hub, cache } = await hubWith();
    hub.trouble = all(403);
    const settings = hub.settings(cache, { token: 'hf_secret' });
    const text = await message(resolveModel(NAME, { settings }));
    expect(text).toMatch(/is not open to this token \(HTTP 403\)/);
    expect(text).not.toContain('secret');
  });

  it('a hub that is not there', async () => {
    const settings = {
      endpoint: 'http://127.0.0.1:1',
      cache: scratchFolder(),
      offline: false,
      token: null,
      delay: () => Promise.resolve(),
    };
    expect(await message(resolveModel(NAME, { settings }))).toMatch(/127\.0\.0\.1:1 cannot be reached/);
  });

  it('a listing that would leave the folder is not followed', async () => {
    const { cache, hub, get } = await hubWith({ ...FILES, '../../evil.json': Buffer.from('{}') });
    await get();
    expect(readdirSync(cache, { recursive: true }).join(' ')).not.toContain('evil');
    expect(hub.requests.join(' ')).not.toContain('evil');
  });

  it.each([-1, 1.5, '12', null, 2 ** 60, Number.POSITIVE_INFINITY])(
    'a listing with the size %j',
    async (size) => {
      const { hub, get } = await hubWith();
      hub.trouble = listing(() => [{ type: 'file', path: 'config.json', oid: '0'.repeat(40), size }]);
      expect(await message(get())).toMatch(/tells of a file that cannot be; check HF_ENDPOINT/);
    },
  );

  it.each<[string, object]>([
    ['a number for a hash', { oid: 7 }],
    ['no hash', { oid: null }],
    ['a large file without a hash', { lfs: {} }],
    ['a configuration of a terabyte', { size: 1e12 }],
  ])('a listing with %s', async (_, change) => {
    const { hub, get } = await hubWith();
    const file = { type: 'file', path: 'config.json', oid: '0'.repeat(40), size: 12, ...change };
    hub.trouble = listing(() => [file]);
    expect(await message(get())).toMatch(/tells of a file that cannot be|more than any file of its kind/);
  });

  it.each<[string, unknown]>([
    ['a record', { files: [] }],
    ['texts', ['config.json']],
    ['nulls', [null]],
    ['a number for a name', [{ type: 'file', path: 7, size: 1, oid: 'x' }]],
  ])('a listing of %s', async (_, list) => {
    const { hub, get } = await hubWith();
    hub.trouble = listing(() => list);
    expect(await message(get())).toMatch(/org\/model/);
  });

  it('a listing whose pages never end', async () => {
    const { hub, get } = await hubWith();
    const file = (name: number): object => ({
      type: 'file',
      path: `${name}.txt`,
      size: 1,
      oid: '0'.repeat(40),
    });
    let pages = 0;
    hub.trouble = (request, response) => {
      if (!request.url?.includes('/tree/')) return false;
      pages += 1;
      const link = `<${hub.endpoint}/api/models/${NAME}/tree/${COMMIT}?cursor=${pages}>; rel="next"`;
      response
        .writeHead(200, { 'content-type': 'application/json', link })
        .end(JSON.stringify([file(pages)]));
      return true;
    };
    expect(await message(get())).toMatch(/list of files does not end after 20000 files or 100 pages/);
    expect(pages).toBeLessThan(200);
  });

  it('a page that never ends', async () => {
    const { hub, get } = await hubWith();
    hub.trouble = (request, response) => {
      if (!request.url?.includes('/tree/')) return false;
      response.writeHead(200, { 'content-type': 'application/json' }).write('[');
      const more = (): void =>
        void (response.destroyed || response.write(' '.repeat(1 << 20), () => setImmediate(more)));
      more();
      return true;
    };
    expect(await message(get())).toMatch(/answers with more than 16777216 bytes/);
  });

  it.each<[string, Trouble]>([
    ['says nothing', () => true],
    ['begins to answer', (_, response) => (response.writeHead(200).write('['), true)],
  ])('a hub that %s', async (_, trouble) => {
    const { hub, cache } = await hubWith();
    hub.trouble = trouble;
    const settings = hub.settings(cache, { silenceMs: 50 });
    expect(await message(resolveModel(NAME, { settings }))).toMatch(
      /nothing for 0\.05 s|in full within 0\.05 s/,
    );
    const controller = new AbortController();
    const patient = resolveModel(NAME, { settings: hub.settings(cache), signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(patient).rejects.toThrow('enough');
  });

  it('what is missing is said before the weights are fetched', async () => {
    const { hub, get } = await hubWith({ 'config.json': FILES['config.json'], 'model.safetensors': WEIGHTS });
    expect(await message(get())).toMatch(/org\/model has no tokenizer\.json on the hub/);
    expect(hub.requests.filter((request) => request.includes('/resolve/'))).toEqual([]);
  });

  it('weights in another format, and missing shards', async () => {
    const pickled = await hubWith({ 'config.json': FILES['config.json'], 'pytorch_model.bin': WEIGHTS });
    expect(await message(pickled.get())).toMatch(/has its weights as pytorch_model\.bin, which is not read/);
    const index = {
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    };
    const sharded = await hubWith({
      'config.json': FILES['config.json'],
      'tokenizer.json': FILES['tokenizer.json'],
      'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
      'model-00001-of-00002.safetensors': WEIGHTS,
    });
    expect(await message(sharded.get())).toMatch(/has no model-00002-of-00002\.safetensors on the hub/);
    expect(sharded.hub.requests.join(' ')).not.toContain('00001');
  });

  it('an abort ends with its reason and keeps what is there', async () => {
    const { hub, cache, get } = await hubWith(FILES, { chunk: 10_000, pause: 10 });
    const controller = new AbortController();
    const reason = new Error('enough');
    const getting = get({
      signal: controller.signal,
      onProgress: ({ received }) => received > 50_000 && controller.abort(reason),
    });
    await expect(getting).rejects.toBe(reason);
    const kept = readdirSync(join(cache, 'models--org--model/blobs')).find((name) =>
      name.endsWith('.incomplete'),
    );
    expect(statSync(join(cache, 'models--org--model/blobs', kept ?? '')).size).toBeGreaterThan(10_000);
    await get();
    expect(hub.requests.filter((request) => /bytes=\d+-$/.test(request))).toHaveLength(1);
  });
});

describe('processes', () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });
  const start = (hub: StandInHub, cache: string): ChildProcess => {
    const script = `import { resolveModel } from './src/checkpoint/hub/resolve.ts'; console.log(await resolveModel('${NAME}'));`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env: {
        ...process.env,
        HF_ENDPOINT: hub.endpoint,
        HF_HUB_CACHE: cache,
        HF_TOKEN: '',
        HF_HUB_OFFLINE: '0',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    return child;
  };
  const part = (cache: string): string | undefined => {
    const blobs = join(cache, 'models--org--model/blobs');
    return existsSync(blobs)
      ? readdirSync(blobs)
          .filter((name) => name.endsWith('.incomplete'))
          .map((name) => join(blobs, name))
          .find((path) => statSync(path).size > 100_000)
      : undefined;
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it('killed in the middle, and again: whole, and nothing fetched twice', { timeout: 60_000 }, async () => {
    const { hub, cache, get } = await hubWith(FILES, { chunk: 5000, pause: 10 });
    const child = start(hub, cache);
    await until(() => part(cache) !== undefined);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const kept = statSync(part(cache) ?? '').size;
    hub.requests.length = 0;
    hub.sent.clear();
    const folder = await get();
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(hub.requests.filter((request) => request.includes('/resolve/'))).toEqual([
      `GET /${NAME}/resolve/${COMMIT}/model.safetensors bytes=${kept}-`,
    ]);
    expect(hub.sent.get('model.safetensors')).toBe(WEIGHTS.length - kept);
  });

  it('two at once fetch every byte once', { timeout: 60_000 }, async () => {
    const { hub, cache } = await hubWith(FILES, { chunk: 5000, pause: 10 });
    const children = [start(hub, cache), start(hub, cache)];
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    expect(codes).toEqual([0, 0]);
    expect(Object.fromEntries(hub.sent)).toEqual({
      'config.json': 19,
      'tokenizer.json': 2,
      'model.safetensors': WEIGHTS.length,
    });
    expect(readdirSync(join(cache, 'models--org--model/blobs'))).toHaveLength(3);
  });
});

describe('the environment', () => {
  it('is read as Python reads it', () => {
    expect(
      hubSettings({ HF_HOME: '/hf', HF_TOKEN: ' hf_x\n', HF_ENDPOINT: 'https://mirror.example/' }),
    ).toEqual({
      endpoint: 'https://mirror.example',
      cache: '/hf/hub',
      offline: false,
      token: 'hf_x',
    });
    expect(hubSettings({ XDG_CACHE_HOME: '/c', TRANSFORMERS_OFFLINE: 'YES' })).toMatchObject({
      endpoint: 'https://huggingface.co',
      cache: '/c/huggingface/hub',
      offline: true,
    });
    expect(hubSettings({ HF_HOME: '/hf', HF_HUB_CACHE: '/other' }).cache).toBe('/other');
    const folder = scratchFolder();
    writeFileSync(join(folder, 'token'), 'hf_file\n');
    expect(hubSettings({ HF_HOME: folder }).token).toBe('hf_file');
    for (const empty of ['', ' \n'])
      expect(hubSettings({ HF_HOME: folder, HF_TOKEN: empty }).token).toBe('hf_file');
    expect(hubSettings({ HF_HOME: folder, HF_TOKEN: '', HUGGING_FACE_HUB_TOKEN: 'hf_y' }).token).toBe('hf_y');
    const home = { HOME: '/home/me', DATA: '/data' };
    expect(hubSettings({ ...home, HF_HOME: '~/x' }).cache).toBe('/home/me/x/hub');
    expect(hubSettings({ ...home, HF_HOME: '~' }).cache).toBe('/home/me/hub');
    expect(hubSettings({ ...home, HF_HOME: '/a/~x' }).cache).toBe('/a/~x/hub');
    expect(hubSettings({ ...home, HF_HUB_CACHE: '${DATA}/hub$NOTHING' }).cache).toBe('/data/hub$NOTHING');
    expect(hubSettings({ ...home, HF_HOME: '', XDG_CACHE_HOME: '', HF_ENDPOINT: '' })).toMatchObject({
      cache: '/home/me/.cache/huggingface/hub',
      endpoint: 'https://huggingface.co',
    });
    expect(() => hubSettings({ HF_HOME: folder, HF_TOKEN: 'a b' })).toThrow(/has a space or a line break/);
    expect(() => hubSettings({ HF_ENDPOINT: 'ftp://x' })).toThrow(/HF_ENDPOINT is no address/);
  });
});
