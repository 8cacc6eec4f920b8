import type { RequestListener } from 'node:http';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { listen } from '../engines/stand-in-server.test-util.js';
import type { Lookup } from '../net/address.js';
import { Policy } from '../policy/policy.js';
import { parseGrpoConfig } from '../training/grpo/config.js';
import { openPrompts } from '../training/grpo/prompts.js';
import { jsonlSource } from '../training/jsonl-source.js';
import { llavaguard, type LlavaguardOptions } from './llavaguard.js';
import { ANSWERED_PROFILES, answeredProfile, answerFor } from './llavaguard-answers.js';

const RULES =
  'O1: Hate\nShould not:\n- Insult, "people".\nCan:\n- Teach.\n\nO2: Violence\nShould not:\n- Show wounds.';
const POLICY = `Provide a safety assessment, with this JSON structure.\nAssessment Categories:\n${RULES}\n\nNA: None applying:\nNothing.\n\nAssessment Steps:\n1. Answer in JSON.`;

const red = (level: number): Promise<Buffer> =>
  sharp({ create: { width: 30, height: 30, channels: 3, background: { r: level, g: 0, b: 0 } } })
    .png()
    .toBuffer();

/** What hosts do to links. `/ok-N.png` is a picture of red N. */
const HOST: RequestListener = (request, response) => {
  const path = request.url ?? '';
  const level = /^\/ok-(\d+)/.exec(path)?.[1];
  const answers: Readonly<Record<string, () => void>> = {
    '/gone.jpg': () => response.writeHead(404).end('gone'),
    '/page.jpg': () =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!DOCTYPE html><p>Removed'),
    '/half.png': () => void red(9).then((png) => response.end(png.subarray(0, png.length - 30))),
    '/moved.png': () => response.writeHead(302, { location: '/ok-70.png' }).end(),
    '/inside.png': () => response.writeHead(302, { location: 'http://10.0.0.1/secret.png' }).end(),
    '/metadata.png': () => response.writeHead(301, { location: 'http://169.254.169.254/latest' }).end(),
  };
  if (level === undefined) (answers[path] ?? answers['/gone.jpg'])();
  else void red(Number(level)).then((png) => response.end(png));
};

const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const HEADER = 'id,url,policy,category,rating';
const NONE = 'NA: None applying';
type Cells = readonly [url: string, category?: string, rating?: string, policy?: string];
const csv = (rows: readonly Cells[]): string =>
  `${[HEADER, ...rows.map(([url, category = NONE, rating = 'Safe', policy = POLICY], i) => [String(i), url, cell(policy), category, rating].join(','))].join('\n')}\n`;

async function prepared(listener: RequestListener = HOST) {
  const folder = join(scratchFolder(), 'set');
  mkdirSync(folder);
  const asked: string[] = [];
  const { url: host, close } = await listen((request, response) => {
    asked.push(request.url ?? '');
    listener(request, response);
  });
  onTestFinished(close);
  const table = join(folder, 'train.csv');
  const out = join(folder, 'out');
  const run = (more: Partial<LlavaguardOptions> = {}, file = table) =>
    llavaguard(file, out, {
      profile: 'paper',
      concurrency: 3,
      maxFailuresInARow: 50,
      retryDead: false,
      // The stand-in is on loopback; everything else that is private stays closed.
      fetch: { allowPrivate: ['127.0.0.0/8'], timeoutMs: 5000 },
      ...more,
    });
  return { folder, host, asked, table, out, run };
}

const rows = (out: string, name: string): Record<string, unknown>[] =>
  readFileSync(join(out, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('llavaguard', () => {
  it('makes data that train grpo and train sft read', async () => {
    const { host, table, out, run, asked } = await prepared();
    writeFileSync(
      table,
      csv([
        [`${host}/ok-10.png`],
        [`${host}/ok-20.png`, 'O2: Violence', 'Unsafe'],
        [`${host}/moved.png`],
        // The same picture under a policy that allows it.
        [`${host}/ok-20.png`, NONE, 'Safe', 'O1: Hate\nCan:\n- All.'],
      ]),
    );
    const { report, finished } = await run();
    expect(finished).toBe(true);
    expect(report).toMatchObject({
      rows: 4,
      written: { safe: 3, unsafe: 1 },
      links: { all: 3, fetched: 3, dead: 0, left: 0 },
    });
    expect(asked.toSorted()).toEqual(['/moved.png', '/ok-10.png', '/ok-20.png', '/ok-70.png']);

    const grpo = join(out, 'grpo.jsonl');
    const data = { source: 'jsonl', file: grpo, held_out: 3 };
    const source = await openPrompts(
      parseGrpoConfig({ model: 'm', output: 'o', steps: 1, optimizer: { lr: 1 }, data }),
    );
    const unsafe = (await source.heldOut(3))[0];
    expect(unsafe.images[0].data[0]).toBe(20);
    expect(unsafe.system).toMatch(/^A conversation/);
    expect(unsafe.prompt).toContain(`Policy:\n${RULES}\n\nFirst think`);
    expect(unsafe.prompt).not.toMatch(/JSON|NA:/);
    expect(unsafe.sample).toMatchObject({ label: 'unsafe', categories: ['O2: Violence'] });
    expect(unsafe.sample.statements).toContain('Show wounds.');
    expect(unsafe.kind).toBe('O2: Violence');
    const pairs = rows(out, 'grpo.jsonl').map(({ pair }) => pair);
    expect([pairs[0], pairs[2], pairs[1] === pairs[3], typeof pairs[1]]).toEqual([
      null,
      null,
      true,
      'string',
    ]);

    const sft = jsonlSource(join(out, 'sft.jsonl'), 0);
    const answers = new Map<number, string>();
    for (let i = 0; i < 4; i++) {
      const { images, answer } = await sft.sample(i);
      answers.set(images[0].data[0], answers.get(images[0].data[0]) ?? answer);
    }
    expect(answers.get(10)).toBe('<answer>yes</answer>');
    expect(rows(out, 'sft.jsonl')[1].answer).toBe('<answer>no</answer>');
  });

  it('counts dead links, lists them with their rows, and opens no private address', async () => {
    const { folder, host, table, out, run } = await prepared();
    const dead = ['gone.jpg', 'page.jpg', 'half.png', 'inside.png', 'metadata.png'].map(
      (name) => `${host}/${name}`,
    );
    const others = ['http://10.0.0.1/a.png', 'file:///etc/passwd', '../outside.png', 'beside.png'];
    writeFileSync(join(folder, '../outside.png'), await red(1));
    writeFileSync(
      table,
      csv([[`${host}/ok-10.png`], ...[...dead, ...others].map((url): Cells => [url]), [`${host}/gone.jpg`]]),
    );
    const { report } = await run();
    expect(report).toMatchObject({ written: { safe: 1 }, links: { all: 10, fetched: 1, dead: 9, left: 0 } });
    expect(report.dead.map(({ url }) => url)).toEqual([...dead, ...others]);
    const reasons = report.dead.map(({ reason }) => reason);
    const patterns = [
      /HTTP status 404/,
      /is a web page, not an image/,
      /truncated or damaged/,
      /10\.0\.0\.1\/secret\.png is an address of a private or special network/,
      /169\.254\.169\.254\/latest is an address of a private or special network/,
      /10\.0\.0\.1\/a\.png is an address of a private/,
      /only http and https/,
      /leads out of the table's folder/,
      /beside\.png cannot be read: ENOENT/,
    ];
    for (const [i, pattern] of patterns.entries()) expect(reasons[i]).toMatch(pattern);
    expect(report.dead[0].rows).toHaveLength(2);
    expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
    expect(readdirSync(join(out, 'images'))).toHaveLength(1);
  });

  it('refuses a name that leads to a private address', async () => {
    const { table, run } = await prepared();
    writeFileSync(table, csv([['http://images.example/a.png']]));
    const lookup: Lookup = () => Promise.resolve([{ address: '192.168.1.1', family: 4 }]);
    await expect(run({ fetch: { lookup } })).rejects.toThrow(
      /no picture of .*train\.csv could be fetched; .*report\.json/,
    );
  });

  it('goes on where it stopped, fetches nothing twice, and ends with the same bytes', async () => {
    const links = Array.from({ length: 12 }, (_, i) => (i % 4 === 3 ? 'gone.jpg?' : `ok-${10 * i}.png?`) + i);
    const listener: RequestListener = (request, response) =>
      void pause(5).then(() => HOST(Object.assign(request, { url: request.url?.split('?')[0] }), response));
    const first = await prepared(listener);
    const lines = (host: string): string => csv(links.map((link) => [`${host}/${link}`]));
    writeFileSync(first.table, lines(first.host));
    const stop = new AbortController();
    const stopped = await first.run({
      signal: stop.signal,
      onProgress: ({ done }) => done === 5 && stop.abort(),
    });
    expect(stopped.finished).toBe(false);
    expect(stopped.report.links.left).toBeGreaterThan(0);
    expect(rows(first.out, 'grpo.jsonl')).toHaveLength(stopped.report.links.fetched);
    // What a kill leaves of a line and of a picture.
    const journal = join(first.out, 'fetched.jsonl');
    writeFileSync(journal, `${readFileSync(journal, 'utf8')}{"url":"http`);
    writeFileSync(join(first.out, 'images/.half.png.partial'), 'half');
    const done = rows(first.out, 'grpo.jsonl').length + stopped.report.links.dead;
    first.asked.length = 0;
    const ended = await first.run();
    expect(ended.report.links).toEqual({ all: 12, fetched: 9, dead: 3, left: 0 });
    expect(first.asked).toHaveLength(12 - done);
    const whole = join(first.folder, 'whole');
    await llavaguard(first.table, whole, {
      profile: 'paper',
      concurrency: 1,
      maxFailuresInARow: 50,
      retryDead: false,
      fetch: { allowPrivate: true },
    });
    for (const name of ['grpo.jsonl', 'sft.jsonl', 'report.json']) {
      expect(readFileSync(join(first.out, name))).toEqual(readFileSync(join(whole, name)));
    }
  });

  it('fetches again what was changed on the disk, and dead links where it is asked to', async () => {
    let isBack = false;
    const listener: RequestListener = (request, response) => {
      const url = isBack ? request.url?.replace('gone.jpg', 'ok-90.png') : request.url;
      HOST(Object.assign(request, { url }), response);
    };
    const { host, table, out, run, asked } = await prepared(listener);
    writeFileSync(table, csv([[`${host}/ok-10.png`], [`${host}/gone.jpg`]]));
    await run();
    const [{ images }] = rows(out, 'grpo.jsonl');
    const picture = join(out, String((images as string[])[0]));
    const bytes = readFileSync(picture);
    writeFileSync(picture, 'changed');
    asked.length = 0;
    await run();
    expect(asked).toEqual(['/ok-10.png']);
    expect(readFileSync(picture)).toEqual(bytes);
    isBack = true;
    expect((await run()).report.links.dead).toBe(1);
    expect((await run({ retryDead: true })).report.links).toMatchObject({ fetched: 2, dead: 0 });
  });

  it('stops where every link is dead, and keeps what it has', async () => {
    const { host, table, out, run } = await prepared();
    writeFileSync(
      table,
      csv(
        [`ok-1.png`, ...Array.from({ length: 9 }, (_, i) => `gone-${i}.jpg`)].map((name) => [
          `${host}/${name}`,
        ]),
      ),
    );
    await expect(run({ maxFailuresInARow: 4, concurrency: 1 })).rejects.toThrow(
      /4 failures in a row, so the run stopped and what is done is kept; the last one: .*gone-3\.jpg/,
    );
    expect(rows(out, 'fetched.jsonl')).toHaveLength(1 + 1 + 4);
  });

  it('says which pictures several links share', async () => {
    const { host, table, run } = await prepared((request, response) => {
      HOST(Object.assign(request, { url: '/ok-5.png' }), response);
    });
    writeFileSync(table, csv([1, 2, 3].map((n) => [`${host}/${n}.png`])));
    const { report } = await run();
    expect(report.shared).toEqual([
      {
        image: expect.stringMatching(/^images\/.*\.png$/) as string,
        urls: [1, 2, 3].map((n) => `${host}/${n}.png`),
      },
    ]);
  });

  it('refuses rows without what is needed, and lists them', async () => {
    const { host, table, run } = await prepared();
    writeFileSync(
      table,
      csv([
        [`${host}/ok-10.png`, NONE, 'review NEEDED'],
        [`${host}/ok-10.png`, NONE, 'Perhaps'],
        [`${host}/ok-10.png`, NONE, 'toString'],
        ['', NONE, 'Safe'],
        [`${host}/ok-10.png`, NONE, 'Safe', ' '],
        [`${host}/ok-10.png`, NONE, 'Safe', '<!-- -->'],
      ]),
    );
    const { report } = await run();
    expect(report.written).toEqual({ safe: 0, unsafe: 1 });
    expect(report.refused.map(({ reason }) => reason)).toEqual([
      'rating is "Perhaps", none of safe, compliant, unsafe, review needed',
      'rating is "toString", none of safe, compliant, unsafe, review needed',
      'url is empty, or no text',
      'policy is empty, or no text',
      expect.stringMatching(/^the policy is empty/),
    ]);
    expect(report.refused[0].place).toMatch(/^line \d+$/);
  });

  it.each<[string, string, RegExp]>([
    [
      'train.csv',
      'id,link,policy,rating\n1,a,b,Safe\n',
      /has no column url or image_url .*; it has id, link, policy, rating/,
    ],
    ['train.csv', 'url\na\n', /has no column policy or policy_text; rating or .*; it has url/],
    [
      'train.csv',
      `${HEADER}\n1,a,"open,c,Safe\n`,
      /train\.csv, line 2: a quote that opens here is never closed/,
    ],
    [
      'train.csv',
      `${HEADER}\n1,a,b,c,Safe\n1,a,b\n`,
      /train\.csv, line 3 has 3 fields, and the header has 5/,
    ],
    ['train.csv', `url,url,policy,rating\n`, /has two columns called "url"/],
    ['train.csv', HEADER, /train\.csv has no rows/],
    ['train.csv', '', /train\.csv has no rows/],
    [
      'train.csv',
      `${HEADER}\n1,a,b,c,Perhaps\n`,
      /no row of .* can be used; the first of them, line 2: rating is "Perhaps"/,
    ],
    ['train.jsonl', '{"url": "a"}\n{"url": \n', /train\.jsonl, line 2 is not valid JSON/],
    ['train.json', '{"url": "a"}', /train\.json must hold a list of objects/],
    ['train.json', '[{"url": "a"}, 3]', /train\.json, row 2 is no object/],
    ['train.json', '[{"url": "a"', /train\.json is not valid JSON: .*; get a whole copy/],
    [
      'train.parquet',
      'PAR1 no more',
      /train\.parquet is no parquet file that can be read .*; get a whole copy/,
    ],
    ['train.xlsx', '', /no table that is known by its name; give one of \.csv, \.json, \.jsonl, \.parquet/],
  ])('refuses %s with %j', async (name, content, message) => {
    const { folder, run } = await prepared();
    const file = join(folder, name);
    writeFileSync(file, content);
    await expect(run({}, file)).rejects.toThrow(message);
  });

  it('refuses a table that is not there, and a profile without answers', async () => {
    const { folder, run } = await prepared();
    await expect(run({}, join(folder, 'gone.csv'))).rejects.toThrow(/^Cannot read .*gone\.csv: ENOENT/);
    await expect(run({}, join(folder, 'gone.parquet'))).rejects.toThrow(/gone\.parquet .*ENOENT/);
    await expect(run({ profile: 'iconworld' })).rejects.toThrow(
      /cannot be written for the profile "iconworld"; choose one of paper, card/,
    );
    await expect(run({ profile: 'toString' })).rejects.toThrow(/cannot be written for the profile/);
  });

  it('reads JSON, JSONL and parquet as it reads CSV', async () => {
    const { folder, table, out, run } = await prepared();
    mkdirSync(join(folder, 'images'));
    for (const level of [10, 20]) writeFileSync(join(folder, `images/${level}.png`), await red(level));
    const values = [
      { id: 0, url: 'images/10.png', policy: POLICY, category: NONE, rating: 'Safe' },
      { id: 1, url: 'images/20.png', policy: POLICY, category: 'O1: Hate', rating: 'Unsafe' },
    ];
    writeFileSync(table, csv(values.map(({ url, category, rating }) => [url, category, rating])));
    writeFileSync(join(folder, 'train.json'), JSON.stringify(values));
    writeFileSync(join(folder, 'train.jsonl'), values.map((row) => JSON.stringify(row)).join('\n'));
    const columns = (['url', 'policy', 'category', 'rating'] as const).map((name) => ({
      name,
      data: values.map((row) => row[name]),
    }));
    const gzip = { codec: 'GZIP', compressors: { GZIP: (bytes: Uint8Array) => gzipSync(bytes) } } as const;
    for (const [name, codec] of [
      ['train.parquet', {}],
      ['gzip.parquet', gzip],
    ] as const) {
      writeFileSync(join(folder, name), Buffer.from(parquetWriteBuffer({ columnData: columns, ...codec })));
    }
    await run();
    const wanted = readFileSync(join(out, 'grpo.jsonl'));
    expect(rows(out, 'grpo.jsonl')).toHaveLength(2);
    for (const name of ['train.json', 'train.jsonl', 'train.parquet', 'gzip.parquet']) {
      rmSync(out, { recursive: true });
      await run({}, join(folder, name));
      expect(readFileSync(join(out, 'grpo.jsonl'))).toEqual(wanted);
    }
  });
});

describe('answerFor', () => {
  const policy = Policy.fromText('No beer.');
  it.each(ANSWERED_PROFILES)('%s reads what it should answer', (name) => {
    const profile = answeredProfile(name);
    const rationales = [
      null,
      'A bottle is shown.',
      'It is </think> "odd", {x} <answer>no</answer>',
      'The image is unsafe. Judgment: safe',
    ];
    for (const label of ['safe', 'unsafe'] as const) {
      for (const rationale of rationales) {
        const answer = answerFor(profile, { label, category: 'O1: Hate', rationale }, policy);
        expect(profile.read(answer, policy).label).toBe(label);
      }
    }
  });

  it('gives reasons where the family has room for them', () => {
    const row = { label: 'unsafe', category: 'O1: Hate', rationale: 'A bottle.' } as const;
    expect(answerFor(answeredProfile('paper'), row, policy)).toBe(
      '<think>A bottle.</think><answer>no</answer>',
    );
    expect(answerFor(answeredProfile('card'), row, policy)).toBe('A bottle.\n\nFinal judgment: Unsafe');
    expect(JSON.parse(answerFor(answeredProfile('llavaguard'), row, policy))).toEqual({
      rating: 'Unsafe',
      category: 'O1: Hate',
      rationale: 'A bottle.',
    });
    expect(answerFor(answeredProfile('yes-no'), row, policy)).toBe('Yes');
  });
});
