import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Checkpoint, writeCheckpoint } from '../../src/checkpoint/checkpoint.js';
import { type FloatDType, SafetensorsFile, writeSafetensors } from '../../src/checkpoint/safetensors.js';
import { checkTensors, expectedTensors, parseConfig } from '../../src/models/qwen2_5_vl/config.js';
import { messageOf, UserError } from '../../src/util/errors.js';
import { compareExact, guarded, line } from './compare.js';
import { type CheckpointFolder, checkpointFolders, weightFiles } from './folders.js';
import type { GoldenCheck, GoldenLine } from './types.js';

/** A shard of this size makes folders of several files even of the small goldens. */
const SMALL_SHARD_BYTES = 300_000;

/** An ungathered ZeRO-3 save leaves its matrices with no elements. */
function hasEmptyTensors(folder: string): boolean {
  return weightFiles(folder).some((name) => {
    const file = SafetensorsFile.open(join(folder, name));
    const empty = [...file.tensors.values()].some(({ shape }) => shape.includes(0));
    file.close();
    return empty;
  });
}

/** Reading must fail with a reason that names ZeRO-3. */
async function refusal({ path, folder }: CheckpointFolder): Promise<GoldenLine> {
  const part = { path, part: 'refused' };
  try {
    const checkpoint = await Checkpoint.open(folder);
    checkpoint.close();
    return line(part, 1, 0, 'opened without a complaint');
  } catch (error) {
    const told = error instanceof UserError && /empty.*ZeRO-3/.test(error.message);
    return line(part, told ? 0 : 1, 0, messageOf(error));
  }
}

/** Read, written and read again: the bytes of every tensor are equal. */
async function* fileRoundTrip(path: string, source: string, scratch: string): AsyncGenerator<GoldenLine> {
  const before = SafetensorsFile.open(source);
  const target = join(scratch, 'copy.safetensors');
  const entries = [...before.tensors.values()].map((info) => ({
    ...info,
    data: () => before.read(info.name),
  }));
  await writeSafetensors(target, entries, { metadata: before.metadata });
  const after = SafetensorsFile.open(target);
  yield compareSets({ path, part: 'round-trip' }, before, after);
  before.close();
  after.close();
}

/** Two sources of tensors: the same names, types, shapes and values. */
function compareSets(
  compared: { path: string; part: string },
  before: Pick<SafetensorsFile, 'tensors' | 'read'>,
  after: Pick<SafetensorsFile, 'tensors' | 'read'>,
): GoldenLine {
  const names = (source: Pick<SafetensorsFile, 'tensors'>): string[] =>
    [...source.tensors.values()]
      .map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(', ')}]`)
      .sort();
  const infos = compareExact(compared, names(after), names(before));
  if (!infos.ok) return infos;
  let different = 0;
  for (const name of before.tensors.keys()) {
    different += compareExact(compared, after.read(name), before.read(name)).error;
  }
  return line(compared, different, 0);
}

/** The folder written anew from f32 values, in shards, opens with the same weights. */
async function* folderRoundTrip(
  { path, folder }: CheckpointFolder,
  scratch: string,
): AsyncGenerator<GoldenLine> {
  const before = await Checkpoint.open(folder);
  const dtypes = new Set([...before.tensors.values()].map(({ dtype }) => dtype));
  const dtype =
    [...dtypes].find((found): found is FloatDType => ['F32', 'F16', 'BF16'].includes(found)) ?? 'F32';
  const target = join(scratch, 'copy');
  const tensors = [...before.tensors.values()].map(({ name, shape }) => ({
    name,
    shape,
    data: () => before.readFloat32(name),
  }));
  await writeCheckpoint(target, { from: folder, dtype, tensors, maxShardBytes: SMALL_SHARD_BYTES });
  const after = await Checkpoint.open(target);
  yield compareSets({ path, part: 'written-anew' }, before, after);
  before.close();
  after.close();
}

/** The weights are exactly those that the config describes. */
async function* tensorNames({ path, folder }: CheckpointFolder): AsyncGenerator<GoldenLine> {
  const checkpoint = await Checkpoint.open(folder);
  const config = parseConfig(checkpoint.config);
  checkTensors(checkpoint, config);
  const expected = [...expectedTensors(config).keys()].sort();
  // A head that is tied may still be stored.
  const found = [...checkpoint.tensors.keys()].filter(
    (name) => !(config.tieWordEmbeddings && name === 'lm_head.weight'),
  );
  yield compareExact({ path: `${path}/config.json`, part: 'tensors' }, expected, found.sort());
  checkpoint.close();
}

async function* checkFolder(checkpoint: CheckpointFolder): AsyncGenerator<GoldenLine> {
  if (hasEmptyTensors(checkpoint.folder)) {
    yield await refusal(checkpoint);
    return;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'goldens-'));
  try {
    yield* guarded({ path: `${checkpoint.path}/config.json` }, () => tensorNames(checkpoint));
    for (const name of weightFiles(checkpoint.folder)) {
      const path = `${checkpoint.path}/${name}`;
      yield* guarded({ path }, () => fileRoundTrip(path, join(checkpoint.folder, name), scratch));
    }
    yield* guarded({ path: checkpoint.path }, () => folderRoundTrip(checkpoint, scratch));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The folders themselves: names and shapes of the weights, reading and writing, and the refusal of empty ones. */
export const check: GoldenCheck = {
  name: 'checkpoints',
  async *run(dir) {
    for (const checkpoint of checkpointFolders(dir)) {
      if (weightFiles(checkpoint.folder).length === 0) continue;
      yield* guarded({ path: checkpoint.path }, () => checkFolder(checkpoint));
    }
  },
};
