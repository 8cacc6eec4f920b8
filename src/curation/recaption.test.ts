import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../checkpoint/files.test-util.js';
import { jsonlSource } from '../training/jsonl-source.js';
import { recaption } from './recaption.js';
import { parseRecaptionConfig } from './recaption-config.js';
import {
  type Answering,
  HONEST,
  recaptionServer,
  redPictures,
  threeModels,
} from './recaption-server.test-util.js';

const COUNT = 6;
const REDS = [0, 10, 20, 30, 40, 50];

async function prepared(answers: Readonly<Record<string, Answering>> = {}, settings: object = {}) {
  const folder = scratchFolder();
  const images = join(folder, 'images');
  await redPictures(images, COUNT);
  const server = await recaptionServer({ ...HONEST, ...answers });
  const config = parseRecaptionConfig({ ...threeModels(server.baseURL), ...settings });
  return { folder, images, out: join(folder, 'out'), server, config };
}

const rows = (out: string, name: string): Record<string, unknown>[] =>
  readFileSync(join(out, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const answersIn = (out: string): unknown[] => rows(out, 'recaptions.jsonl').map(({ answer }) => answer);
const said = (red: number): string => `Plainly: An image of red ${red}.`;

describe('recaption', () => {
  it('captions, rewrites, judges, and writes what train sft reads', async () => {
    const { images, out, config, server } = await prepared();
    const summary = await recaption(images, out, config);
    expect(summary).toEqual({
      pictures: COUNT,
      kept: COUNT,
      rejected: { picture: 0, caption: 0, rewrite: 0, judge: 0 },
      failed: 0,
      left: 0,
      gone: 0,
      finished: true,
    });
    expect(answersIn(out)).toEqual(REDS.map(said));
    expect(new Set(server.asked).size).toBe(3 * COUNT);
    const source = jsonlSource(join(out, 'recaptions.jsonl'), 0);
    for (let i = 0; i < COUNT; i++) {
      const sample = await source.sample(i);
      expect(sample.answer).toBe(said(sample.images[0].data[0]));
      expect(sample.task).toBe('recaption');
      expect(config.prompts.ask).toContain(sample.prompt);
    }
  });

  it('puts the texts into the prompts, and never into each other', async () => {
    const seen: Record<string, string> = {};
    const see =
      (answer: string): Answering =>
      ({ model, text }) => {
        seen[model] = text;
        return answer;
      };
    const prompts = {
      caption: ['What?'],
      rewrite: 'Rewrite <{caption}> {other}',
      judge: 'Judge <{recaption}> of <{caption}>',
    };
    const { images, out, config } = await prepared(
      { captioner: see('a {recaption} b'), rewriter: see('better {caption}'), judge: see('yes') },
      { prompts, limit: 1 },
    );
    await recaption(images, out, config);
    expect(seen).toEqual({
      captioner: 'What?',
      rewriter: 'Rewrite <a {recaption} b> {other}',
      judge: 'Judge <better {caption}> of <a {recaption} b>',
    });
  });

  it('keeps a log of what the judge rejects, and why', async () => {
    const judge: Answering = ({ red }) => (red % 20 === 0 ? '**Yes**' : 'No: it is not that red.\nMore.');
    const { images, out, config } = await prepared({ judge });
    const summary = await recaption(images, out, config);
    expect(summary).toMatchObject({ kept: 3, rejected: { judge: 3 } });
    expect(rows(out, 'rejected.jsonl')[0]).toEqual({
      image: 'red-010.png',
      outcome: 'rejected',
      at: 'judge',
      reason: 'it is not that red.',
      caption: 'An image of red 10.',
      recaption: said(10),
    });
  });

  it('says so where the judge rejects all', async () => {
    const { images, out, config, server } = await prepared({ judge: () => 'no' });
    await expect(recaption(images, out, config)).rejects.toThrow(
      /no picture has a recaption that was kept: .*rejected\.jsonl says why/,
    );
    expect(rows(out, 'rejected.jsonl')).toHaveLength(COUNT);
    // Rejected for good: a second start asks nobody, and says the same.
    const before = server.asked.length;
    await expect(recaption(images, out, config)).rejects.toThrow(/no picture has a recaption/);
    expect(server.asked).toHaveLength(before);
  });

  it('tries again with other seeds where there are attempts left', async () => {
    const seeds: (number | undefined)[] = [];
    const rewriter: Answering = ({ wire }) => {
      seeds.push(wire.seed);
      return `try ${seeds.length}`;
    };
    const judge: Answering = ({ text }) => (text.includes('try 3') ? 'yes' : 'no');
    const { images, out, config } = await prepared({ rewriter, judge }, { attempts: 4, limit: 1 });
    expect(await recaption(images, out, config)).toMatchObject({ kept: 1 });
    expect(answersIn(out)).toEqual(['try 3']);
    expect(new Set(seeds).size).toBe(3);
  });

  it('records a picture that cannot be read, and goes on', async () => {
    const { images, out, config } = await prepared();
    writeFileSync(join(images, 'a-broken.png'), 'no picture');
    mkdirSync(join(images, 'deep'));
    writeFileSync(join(images, 'deep/b.jpg'), '');
    writeFileSync(join(images, 'notes.txt'), 'not counted');
    expect(await recaption(images, out, config)).toMatchObject({
      pictures: 8,
      kept: 6,
      rejected: { picture: 2 },
    });
    expect(rows(out, 'rejected.jsonl')).toMatchObject([
      {
        image: 'a-broken.png',
        at: 'picture',
        reason: expect.stringMatching(/not an image that can be read/) as string,
      },
      { image: 'deep/b.jpg', at: 'picture', reason: expect.stringMatching(/is empty/) as string },
    ]);
  });

  it('stops where the server answers nonsense again and again, and goes on when it is well', async () => {
    let sick = true;
    const captioner: Answering = (asked) => (sick && asked.red > 0 ? null : HONEST.captioner(asked));
    const { images, out, config } = await prepared({ captioner }, { max_failures: 3, concurrency: 1 });
    await expect(recaption(images, out, config)).rejects.toThrow(
      /3 failures in a row, so the run stopped and what is done is kept; the last one: .*JSON that is cut off or damaged/,
    );
    expect(answersIn(out)).toEqual([said(0)]);
    expect(rows(out, 'rejected.jsonl')).toMatchObject(
      [10, 20, 30].map(() => ({ outcome: 'failed', at: 'caption' })),
    );
    sick = false;
    expect(await recaption(images, out, config)).toMatchObject({ kept: COUNT, failed: 0 });
    expect(answersIn(out)).toEqual(REDS.map(said));
    expect(rows(out, 'rejected.jsonl')).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, Answering>>, string, RegExp]>([
    ['an empty caption', { captioner: () => '  ' }, 'caption', /captioner gave an empty answer/],
    [
      'a judge who does not judge',
      { judge: () => 'Maybe, yes.' },
      'judge',
      /neither yes nor no: "Maybe, yes\."/,
    ],
  ])('counts %s as a failure', async (_, answers, at, reason) => {
    const { images, out, config } = await prepared(answers, { limit: 2 });
    await expect(recaption(images, out, config)).rejects.toThrow(/no picture has a recaption/);
    const [first] = rows(out, 'rejected.jsonl');
    expect(first).toMatchObject({ outcome: 'failed', at });
    expect(first.reason).toMatch(reason);
  });

  it('rejects what was cut off', async () => {
    const { images, out, config } = await prepared();
    const cut = await import('./engines.js').then(({ openEngines }) => openEngines);
    const engines: typeof cut = async (settings) => {
      const opened = await cut(settings);
      const { captioner } = opened;
      const complete: typeof captioner.complete = async (request) =>
        (await captioner.complete(request)).map((one) => ({ ...one, finishReason: 'length' }));
      return {
        ...opened,
        captioner: Object.assign(Object.create(captioner) as typeof captioner, { complete }),
      };
    };
    await expect(recaption(images, out, config, { engines })).rejects.toThrow(/no picture/);
    expect(rows(out, 'rejected.jsonl')[0]).toMatchObject({
      outcome: 'rejected',
      at: 'caption',
      reason: 'the text was cut off at max_new_tokens, 1024',
      caption: 'An image of red 0.',
    });
  });

  it('stops at a signal, and goes on to the same bytes without asking twice', async () => {
    const whole = await prepared();
    await recaption(whole.images, whole.out, whole.config);
    const { images, out, config, server } = await prepared({}, { concurrency: 2 });
    const stop = new AbortController();
    const stopped = await recaption(images, out, config, {
      signal: stop.signal,
      onProgress: ({ done }) => done === 2 && stop.abort(),
    });
    expect(stopped).toMatchObject({ finished: false });
    expect(stopped.kept).toBeGreaterThanOrEqual(2);
    expect(stopped.left).toBe(COUNT - stopped.kept);
    expect(answersIn(out)).toHaveLength(stopped.kept);
    const doneBefore = rows(out, 'recaptions.jsonl').map(({ answer }) => /\d+/.exec(String(answer))?.[0]);
    server.asked.length = 0;
    expect(await recaption(images, out, config)).toMatchObject({ kept: COUNT, finished: true });
    expect(server.asked.filter((one) => doneBefore.includes(one.split(' ')[1]))).toEqual([]);
    for (const name of ['recaptions.jsonl', 'rejected.jsonl']) {
      expect(readFileSync(join(out, name))).toEqual(readFileSync(join(whole.out, name)));
    }
  });

  it('keeps what is done when it is asked for less, and for more', async () => {
    const { images, out, config } = await prepared();
    expect(await recaption(images, out, { ...config, limit: 2 })).toMatchObject({
      pictures: 2,
      kept: 2,
      left: 0,
    });
    expect(answersIn(out)).toEqual(REDS.slice(0, 2).map(said));
    await recaption(images, out, config);
    const whole = readFileSync(join(out, 'recaptions.jsonl'));
    for (const limit of [1, 3]) {
      expect(await recaption(images, out, { ...config, limit })).toMatchObject({
        pictures: COUNT,
        kept: COUNT,
      });
      expect(readFileSync(join(out, 'recaptions.jsonl'))).toEqual(whole);
    }
  });

  it('leaves out what the input no longer has, and says how many', async () => {
    const { images, out, config } = await prepared();
    await recaption(images, out, config);
    rmSync(join(images, 'red-010.png'));
    expect(await recaption(images, out, config)).toMatchObject({
      pictures: COUNT - 1,
      kept: COUNT - 1,
      gone: 1,
    });
    expect(answersIn(out)).not.toContain(said(10));
  });

  it('rejects what describes nothing, though the judge lets it pass', async () => {
    const captioner: Answering = ({ red }) => (red === 10 ? 'no' : `An image of red ${red}.`);
    const rewriter: Answering = (request) =>
      request.red === 20 ? '<answer>no knife</answer>' : HONEST.rewriter(request);
    const { images, out, config, server } = await prepared({ captioner, rewriter });
    expect(await recaption(images, out, config)).toMatchObject({
      kept: COUNT - 2,
      rejected: { picture: 0, caption: 1, rewrite: 1, judge: 0 },
    });
    expect(rows(out, 'rejected.jsonl').map(({ at, reason }) => [at, reason])).toEqual([
      ['caption', 'the text does not describe the picture: it is a bare verdict'],
      ['rewrite', "the text does not describe the picture: it is a guardrail's answer"],
    ]);
    expect(server.asked).not.toContain('judge 20');
  });

  it('rejects what a journal of before kept though it describes nothing', async () => {
    const { images, out, config } = await prepared();
    await recaption(images, out, config);
    const journal = join(out, 'journal.jsonl');
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(`"answer":"${said(0)}"`, '"answer":"no"'));
    const engines = () => Promise.reject(new Error('opened'));
    expect(await recaption(images, out, config, { engines })).toMatchObject({
      kept: COUNT - 1,
      rejected: { rewrite: 1 },
    });
    expect(answersIn(out)).toEqual(REDS.slice(1).map(said));
  });

  it('lets nobody else work in its folder', async () => {
    const { images, out, config } = await prepared();
    const both = await Promise.allSettled([1, 2].map(() => recaption(images, out, config)));
    expect(both).toMatchObject([
      { status: 'fulfilled', value: { kept: COUNT } },
      { status: 'rejected', reason: { code: 'busy' } },
    ]);
    expect(existsSync(join(out, 'run.lock'))).toBe(false);
  });

  it('opens no model where all is done', async () => {
    const { images, out, config } = await prepared();
    await recaption(images, out, config);
    const engines = () => Promise.reject(new Error('opened'));
    expect(await recaption(images, out, config, { engines })).toMatchObject({ kept: COUNT });
  });

  it('refuses to go on with other settings, and changes nothing', async () => {
    const { images, out, config } = await prepared();
    await recaption(images, out, config);
    const before = readFileSync(join(out, 'recaptions.jsonl'));
    await expect(recaption(images, out, { ...config, seed: 5, max_pixels: 784 })).rejects.toThrow(
      /was begun with another seed, max_pixels; give another folder/,
    );
    expect(readFileSync(join(out, 'recaptions.jsonl'))).toEqual(before);
  });
});

describe('pictures of a file', () => {
  it('are those it names, each once, by whatever name the field has', async () => {
    const { folder, images, out, config } = await prepared();
    const file = join(folder, 'list.jsonl');
    const lines = [
      { image: 'images/red-010.png', label: 3 },
      { images: ['images/red-000.png'] },
      { file_name: 'images/red-010.png', policy: 'another' },
    ];
    writeFileSync(file, `\n${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    await recaption(file, out, config);
    expect(answersIn(out)).toEqual([said(10), said(0)]);
    // A folder's own list is what its pictures are, too.
    writeFileSync(join(images, 'metadata.jsonl'), JSON.stringify({ file_name: 'red-050.png' }));
    await recaption(images, join(folder, 'other'), config);
    expect(answersIn(join(folder, 'other'))).toEqual([said(50)]);
  });

  it.each<[string, RegExp]>([
    ['{"image": ', /list\.jsonl, line 1 is not valid JSON/],
    ['["a.png"]', /line 1 is no JSON object/],
    ['{"url": "x", "id": 1}', /line 1 names no picture in one of image, file_name, .*; it has url, id/],
    ['{"images": ["a.png", "b.png"]}', /line 1: images must be the path of one picture/],
    ['{"image": {"bytes": ""}}', /line 1: image must be the path of one picture/],
    ['{"image": "https://a.example/b.png"}', /line 1: https:.* is a URL; download the pictures first/],
    ['', /list\.jsonl holds no pictures/],
    ['{"image": "a.png", "things": "unicorn"}', /line 1: IconWorld has no thing called "unicorn"/],
    ['{"image": "a.png", "things": "pistol", "setting": "moon"}', /line 1: IconWorld has no setting "moon"/],
  ])('refuses %s', async (line, message) => {
    const { folder, out, config } = await prepared();
    const file = join(folder, 'list.jsonl');
    writeFileSync(file, line);
    await expect(recaption(file, out, config)).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  it('must say what scenes hold where the facts judge', async () => {
    const { images, out, config } = await prepared({}, { judge: 'facts' });
    await expect(recaption(images, out, config)).rejects.toThrow(
      /judge: facts needs to know what each scene holds, and .* does not say it of red-000\.png/,
    );
    await expect(recaption(join(images, 'gone'), out, config)).rejects.toThrow(/cannot read .*gone: ENOENT/);
  });

  it('are judged by the facts', async () => {
    const { folder, out, config } = await prepared(
      { captioner: () => 'In a school: pistol.' },
      { rewriter: 'icons', judge: 'facts' },
    );
    const file = join(folder, 'images/metadata.jsonl');
    const lines = ['pistol', 'apple'].map((things, i) => ({
      file_name: `red-0${i}0.png`,
      things,
      setting: 'school',
    }));
    writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(await recaption(file, out, config)).toMatchObject({ kept: 1, rejected: { judge: 1 } });
    expect(answersIn(out)).toEqual(['In a school: pistol (weapons).']);
    await recaption(file, join(folder, 'plain'), { ...config, rewriter: 'none' });
    expect(answersIn(join(folder, 'plain'))).toEqual(['In a school: pistol.']);
  });
});
