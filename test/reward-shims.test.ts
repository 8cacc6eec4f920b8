/** @module The Python that engines import, run as they run it, against the reward service: it gives what a run here would. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parquetReadObjects } from 'hyparquet';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { createProgram, run } from '../src/cli/program.js';
import { registerRewards } from '../src/cli/rewards.js';
import { encodePng } from '../src/images/png.js';
import { exportGrpo } from '../src/training/exporters/export.js';
import { FITTING } from '../src/training/exporters/fitting.test-util.js';
import { parseGrpoConfig } from '../src/training/grpo/config.js';
import { openPrompts } from '../src/training/grpo/prompts.js';
import { profileOf, rewardsOf } from '../src/training/grpo/rewards.js';
import { sentSample } from '../src/training/rewards/wire.js';
import { noise, sharedFolder } from '../src/training/tiny-model.test-util.js';
import { readJsonLines } from '../src/util/json-lines.js';

const ENGINES = ['trl', 'ms-swift', 'verl'] as const;
type ShimEngine = (typeof ENGINES)[number];

/** What `python3` says it is; null where there is none. */
function pythonHere(): string | null {
  const { status, stdout } = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

const python = pythonHere();
const how = python === null ? 'NOT TESTED, as python3 is missing here: install it' : `under ${python}`;
if (python === null) console.warn(`reward shims ${how}`);

/** Neither the environment nor installed packages count (-I, -S): what is imported is Python's own. */
const ARGUMENTS = ['-I', '-S'];

/** Calls the shim as each engine does and prints what it gave, with the words of a refusal. */
const DRIVER = `
import json, sys
from pathlib import Path

engine, folder, stubs = sys.argv[1:]
sys.path[:0] = [folder, stubs]
import rewards

given = json.loads(Path(folder, "given.json").read_text("utf-8"))
texts, samples, names = given["texts"], given["samples"], given["names"]
ids = [[7] * count for count in given["tokens"]]


def trl():
    chats = [[{"role": "assistant", "content": text}] for text in texts]
    chats[0][0]["content"] = [{"type": "text", "text": texts[0]}]
    columns = {"prompts": chats, "completions": chats, "completion_ids": ids, "sample": samples, "images": None}
    return {name: rewards.reward(name)(**columns) for name in names}


def ms_swift():
    from swift.rewards import orms

    turns = [[ids[0][:1], ids[0][1:]], *ids[1:]]
    columns = {"sample": samples, "response_token_ids": turns, "solution": texts}
    return {name: orms["safeguard_" + name]()(texts, **columns) for name in names}


def verl():
    rows = [rewards.compute_score("safeguard-vl", text, sample, {"index": 0}) for text, sample in zip(texts, samples)]
    return {name: [row[name] for row in rows] for name in rows[0]}


values = {"trl": trl, "ms-swift": ms_swift, "verl": verl}[engine]()
try:
    rewards.ask(["a"], ["no JSON"], [1])
    refusal = None
except RuntimeError as error:
    refusal = str(error)
print(json.dumps({"values": values, "refusal": refusal}))
`;

/** What the shim of ms-swift imports of its engine. */
const SWIFT_STUB = 'class ORM:\n    pass\n\n\norms = {}\n';

const THINK = '<think>In a school: pistol.\npistol: weapons';
const TEXTS = [
  `${THINK} [1] "Weapons are banned." banned</think><answer>no</answer>`,
  `${THINK} [2] "Beer is fine." allowed</think><answer>yes</answer>`,
  'no idea: „böse“ 🛑 \\ "quoted"\n\u0000',
  '',
];
const TOKENS = [30, 90, 100, 1];
const MAX_TOKENS = 100;

const NAMES = ['accuracy', 'format', 'label', 'readable', 'category', 'quote', 'policyshift_single'];
/** verl tells its reward function no number of tokens. */
const rewardsFor = (engine: ShimEngine): Record<string, number> =>
  Object.fromEntries(
    [...NAMES, ...(engine === 'verl' ? [] : ['length'])].map((name, i) => [name, 1 + i / 10]),
  );

const said = z.object({
  values: z.record(z.string(), z.array(z.number().nullable())),
  refusal: z.string().nullable(),
});

describe.skipIf(python === null)(`reward shims ${how}`, () => {
  const scratch = sharedFolder();
  const stubs = join(scratch, 'stubs');
  const data = join(scratch, 'prompts.jsonl');
  beforeAll(async () => {
    mkdirSync(join(stubs, 'swift'), { recursive: true });
    writeFileSync(join(stubs, 'swift', '__init__.py'), '');
    writeFileSync(join(stubs, 'swift', 'rewards.py'), SWIFT_STUB);
    writeFileSync(join(scratch, 'driver.py'), DRIVER);
    writeFileSync(join(scratch, 'a.png'), await encodePng(noise(28, 28, 1)));
    const statements = ['Weapons are banned.', 'Beer is fine.'];
    const known = { statements, decisive: [1], categories: ['weapons'] };
    const rows = TEXTS.map((_, i) => ({
      prompt: `Policy ${i}: „keine Waffen“.`,
      images: ['a.png'],
      // Where nothing is unsafe, category and quote do not apply.
      ...(i === 1 ? { label: 'safe', statements } : { label: 'unsafe', ...known }),
    }));
    writeFileSync(data, rows.map((row) => JSON.stringify(row)).join('\n'));
  });

  it.each(ENGINES)('give %s what a run here would', async (engine) => {
    const json = {
      preset: 'paper-exact',
      model: 'somebody/model',
      output: 'out',
      steps: TEXTS.length / 2,
      max_completion_length: MAX_TOKENS,
      profile: 'iconworld',
      optimizer: { lr: 1e-6 },
      data: { source: 'jsonl', file: data },
      rewards: rewardsFor(engine),
      ...FITTING[engine],
    };
    const config = parseGrpoConfig(json);
    const file = join(scratch, `${engine}.yaml`);
    writeFileSync(file, stringify(json));
    const service = await served(file);
    const folder = join(scratch, engine);
    await exportGrpo(engine, config, openPrompts, { file, json, folder, rewardsUrl: service.url });
    const samples = await samplesOf(engine, folder);
    const names = Object.keys(config.rewards);
    writeFileSync(
      join(folder, 'given.json'),
      JSON.stringify({ texts: TEXTS, tokens: TOKENS, samples, names }),
    );

    const driver = [join(scratch, 'driver.py'), engine, folder, stubs];
    const { stdout } = await promisify(execFile)('python3', [...ARGUMENTS, ...driver]);
    const { values, refusal } = said.parse(JSON.parse(stdout));
    const health: unknown = await (await fetch(`${service.url}/health`)).json();
    await service.stop();

    const table = rewardsOf(config, await profileOf(config));
    const { byFunction, totals } = await table.score(
      TEXTS.map((completion, i) => {
        const { prompt, ...sample } = sentSample.parse(JSON.parse(samples[i]));
        const tokens = engine === 'verl' ? 0 : TOKENS[i];
        return { prompt, completion, tokens, truncated: tokens >= MAX_TOKENS, sample };
      }),
    );
    expect(values).toEqual(engine === 'verl' ? { score: totals, ...withoutNull(byFunction) } : byFunction);
    expect(byFunction.category).toContain(null);
    expect(new Set(totals).size).toBeGreaterThan(2);
    expect(refusal).toMatch(/^http:\S+\/rewards refuses: .*samples\[0\] is not JSON/u);
    // Engines call every function for itself; the service is asked once a batch all the same.
    expect(health).toMatchObject({ batches: engine === 'verl' ? TEXTS.length : 1 });
  });
});

/** `safeguard rewards serve` in this process, until it is told to stop. */
async function served(config: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const before = process.listeners('SIGTERM');
  const write = vi.spyOn(process.stdout, 'write');
  const url = new Promise<string>((resolve) => {
    write.mockImplementation((text) => {
      resolve(String(text).trim());
      return true;
    });
  });
  const errors: string[] = [];
  const ended = run(['rewards', 'serve', '--config', config, '--port', '0'], {
    program: createProgram([registerRewards]),
    err: (text) => errors.push(text),
  });
  const listening = await Promise.race([url, ended.then(() => Promise.reject(new Error(errors.join('\n'))))]);
  write.mockRestore();
  return {
    url: listening,
    stop: async () => {
      // As the signal would; a real one would end the tests too.
      for (const listener of process.listeners('SIGTERM'))
        if (!before.includes(listener)) listener('SIGTERM');
      expect(await ended).toBeUndefined();
    },
  };
}

/** The column that the engine hands to its reward function. */
async function samplesOf(engine: ShimEngine, folder: string): Promise<string[]> {
  if (engine !== 'verl') {
    const rows = readJsonLines(join(folder, 'train.jsonl'), 'the export').map(({ value }) => value);
    return z
      .array(z.object({ sample: z.string() }))
      .parse(rows)
      .map(({ sample }) => sample);
  }
  const file = new Uint8Array(readFileSync(join(folder, 'train.parquet'))).buffer;
  return z
    .array(z.object({ reward_model: z.object({ ground_truth: z.string() }) }))
    .parse(await parquetReadObjects({ file }))
    .map(({ reward_model: { ground_truth: sample } }) => sample);
}

/** verl logs numbers alone. */
const withoutNull = (
  values: Readonly<Record<string, readonly (number | null)[]>>,
): Record<string, number[]> =>
  Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.map((value) => value ?? 0)]));
