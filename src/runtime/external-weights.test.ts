import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { linear } from '../graph/composites.js';
import * as op from '../graph/ops.js';
import { lower } from '../onnx/lower.js';
import { UserError } from '../util/errors.js';
import { weightRoom } from './external-weights.js';
import { Session } from './session.js';

let folder: string;
const before = process.env.TMPDIR;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'external-weights-test-'));
  process.env.TMPDIR = folder;
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
});

const SIZE = 64;
const x = op.input('x', 'f32', ['n', SIZE]);
const deep = linear(linear(x, op.parameter('first', [SIZE, SIZE])), op.parameter('second', [SIZE, SIZE]));

/** `first` doubles, `second` reverses the order. */
const reads: string[] = [];
const source = {
  read(name: string): Float32Array {
    reads.push(name);
    const matrix = new Float32Array(SIZE * SIZE);
    for (let i = 0; i < SIZE; i++) {
      if (name === 'first') matrix[i * SIZE + i] = 2;
      else matrix[i * SIZE + (SIZE - 1 - i)] = 1;
    }
    return matrix;
  },
};
const model = lower(
  { y: deep },
  { fuse: 'inference', weights: 'initializer', source, externalThreshold: 1024 },
);

it('runs with weights from a file that is gone once the session stands', async () => {
  reads.length = 0;
  const session = await Session.create(model);
  expect(reads).toEqual(['first', 'second']);
  // Neither files of ours nor ONNX Runtime's telemetry log.
  expect(readdirSync(folder)).toEqual([]);
  const values = Float32Array.from({ length: SIZE }, (_, i) => i);
  const { y } = await session.run({ x: { dtype: 'f32', shape: [1, SIZE], data: values } });
  await session.dispose();
  expect(y.data).toEqual(values.map((value) => 2 * value).reverse());
});

it('says where there is no room, and how to give some', async () => {
  process.env.TMPDIR = join(folder, 'missing');
  const refused = await Session.create(model).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(UserError);
  expect(String(refused)).toContain('point TMPDIR at a disk with more room');
});

it('refuses a weight of the wrong size and leaves nothing behind', async () => {
  const { external } = model;
  if (external === undefined) throw new Error('the model has no external weights');
  const short = { ...model, external: { ...external, source: { read: () => new Float32Array(5) } } };
  await expect(Session.create(short)).rejects.toThrow("the weight 'first' has 20 bytes instead of 16384");
  // Neither files of ours nor ONNX Runtime's telemetry log.
  expect(readdirSync(folder)).toEqual([]);
});

it('runs with weights from memory that is free again once the session stands', async () => {
  const { external } = model;
  if (external === undefined) throw new Error('the model has no external weights');
  const room = weightRoom(external);
  const session = await Session.create(model, { weightRoom: room });
  room.fill(255);
  expect(readdirSync(folder)).toEqual([]);
  const values = Float32Array.from({ length: SIZE }, (_, i) => i);
  const { y } = await session.run({ x: { dtype: 'f32', shape: [1, SIZE], data: values } });
  await session.dispose();
  expect(y.data).toEqual(values.map((value) => 2 * value).reverse());
  const short = { ...model, external: { ...external, source: { read: () => new Float32Array(5) } } };
  await expect(Session.create(short, { weightRoom: room })).rejects.toThrow(
    "the weight 'first' has 20 bytes instead of 16384",
  );
});
