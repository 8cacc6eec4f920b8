import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { FULL_DEVICE, fullDiskFor, scratchFolder, smallDisk } from './files.test-util.js';
import { SafetensorsFile, type TensorEntry, writeSafetensors } from './safetensors.js';

/** A file of a header, given as text or as an object, and `dataBytes` bytes of data. */
function fileOf(header: string | object | Uint8Array, dataBytes: number): string {
  const path = join(scratchFolder(), 'x.safetensors');
  const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header);
  const json = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return path;
}

const span = (dtype: unknown, shape: unknown, offsets: unknown): object => ({
  dtype,
  shape,
  data_offsets: offsets,
});

describe('a header that lies is refused with a reason', () => {
  const lies: readonly [
    what: string,
    header: string | object | Uint8Array,
    dataBytes: number,
    message: RegExp,
  ][] = [
    ['no JSON', '{"a": ', 0, /header is not JSON/],
    ['no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 0, /header is not JSON in UTF-8/],
    ['a list', '[]', 0, /header is not a JSON object/],
    [
      'a name twice',
      '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /names "a" twice/,
    ],
    [
      'a field twice',
      '{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /names "dtype" twice/,
    ],
    ['metadata of numbers', { __metadata__: { a: 1 } }, 0, /"__metadata__" is not a map from text to text/],
    ['a tensor that is a number', { a: 1 }, 0, /tensor "a" is not described by an object/],
    [
      'an unknown dtype',
      { a: span('F8_E4M3', [4], [0, 4]) },
      4,
      /tensor "a" has dtype "F8_E4M3".*convert the weights/,
    ],
    ['no dtype', { a: { shape: [1], data_offsets: [0, 1] } }, 1, /tensor "a" has dtype missing/],
    ['an inherited dtype', { a: span('toString', [4], [0, 4]) }, 4, /tensor "a" has dtype "toString"/],
    ['a negative size', { a: span('U8', [-1], [0, 1]) }, 1, /tensor "a": shape \[-1\]/],
    ['half a size', { a: span('U8', [1.5], [0, 1]) }, 1, /tensor "a": shape \[1.5\]/],
    ['sizes as text', { a: span('U8', '1', [0, 1]) }, 1, /tensor "a": shape "1"/],
    [
      'sizes whose product overflows',
      { a: span('F32', [2 ** 52, 2 ** 52], [0, 4]) },
      4,
      /tensor "a": F32 of shape .* needs/,
    ],
    ['one offset', { a: span('U8', [1], [0]) }, 1, /tensor "a": data_offsets \[0\] are not two/],
    ['offsets backwards', { a: span('U8', [1], [1, 0]) }, 1, /data_offsets \[1, 0\] end before they begin/],
    ['offsets past the end', { a: span('U8', [5], [0, 5]) }, 4, /reach past the 4 bytes of data/],
    [
      'too few bytes',
      { a: span('F32', [2], [0, 4]) },
      4,
      /F32 of shape \[2\] needs 8 bytes, but its data_offsets span 4/,
    ],
    ['an overlap', { a: span('U8', [3], [0, 3]), b: span('U8', [3], [2, 5]) }, 5, /tensor "b" overlaps/],
    [
      'a hole',
      { a: span('U8', [1], [0, 1]), b: span('U8', [1], [2, 3]) },
      3,
      /bytes 1 to 2 of the data belong to no tensor/,
    ],
    ['bytes left over', { a: span('U8', [1], [0, 1]) }, 9, /bytes 1 to 9 of the data belong to no tensor/],
  ];
  it.each(lies)('%s', (_, header, dataBytes, message) => {
    const path = fileOf(header, dataBytes);
    expect(() => SafetensorsFile.open(path)).toThrow(UserError);
    expect(() => SafetensorsFile.open(path)).toThrow(message);
    expect(() => SafetensorsFile.open(path)).toThrow(path);
  });

  it('a length beyond the file, or beyond belief', () => {
    const path = fileOf({}, 0);
    const bytes = readFileSync(path);
    bytes.writeBigUInt64LE(11n);
    writeFileSync(path, bytes);
    expect(() => SafetensorsFile.open(path)).toThrow(/claims 11 bytes, but the file has only 2/);
    bytes.writeBigUInt64LE(2n ** 64n - 1n);
    writeFileSync(path, bytes);
    expect(() => SafetensorsFile.open(path)).toThrow(/claims 18446744073709551615 bytes, more than/);
  });

  it('anything else than a file of weights', () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.safetensors');
    expect(() => SafetensorsFile.open(path)).toThrow(/cannot be opened.*check the path/);
    expect(() => SafetensorsFile.open(folder)).toThrow(/is not a file/);
    writeFileSync(path, '');
    expect(() => SafetensorsFile.open(path)).toThrow(/has 0 bytes, too few for a header/);
    writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n');
    expect(() => SafetensorsFile.open(path)).toThrow(/git lfs pull/);
  });

  it('no damage to a header gives anything but a UserError', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]);
    const whole = readFileSync(path);
    const result = fc.check(
      fc.property(fc.nat(whole.length - 9), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        writeFileSync(path, damaged);
        try {
          SafetensorsFile.open(path).close();
        } catch (error) {
          return error instanceof UserError;
        }
        return true;
      }),
      { numRuns: 500 },
    );
    expect(result.counterexample).toBeNull();
  });
});

describe('reading', () => {
  const entries: TensorEntry[] = [
    { name: 'f32', dtype: 'F32', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'f16', dtype: 'F16', shape: [2], data: Float32Array.of(0.1, 1e9) },
    { name: 'bf16', dtype: 'BF16', shape: [2, 2], data: () => Float32Array.of(1, 2, 3, 257) },
    { name: 'bits', dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3f80) },
    { name: 'i64', dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 60n) },
    { name: 'i32', dtype: 'I32', shape: [1, 2], data: Int32Array.of(-7, 9) },
    { name: 'f64', dtype: 'F64', shape: [], data: Float64Array.of(0.5) },
    { name: 'bool', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
    { name: 'none', dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
  ];
  const written = async (): Promise<SafetensorsFile> => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, entries, { metadata: { format: 'pt', note: 'ü' } });
    return SafetensorsFile.open(path);
  };

  it('gives back what was written', async () => {
    const file = await written();
    expect(file.metadata).toEqual({ format: 'pt', note: 'ü' });
    expect(new Set(file.tensors.keys())).toEqual(new Set(entries.map(({ name }) => name)));
    expect(file.tensors.get('f32')).toMatchObject({ name: 'f32', dtype: 'F32', shape: [3, 2] });
    expect(file.read('f32')).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(file.read('i64')).toEqual(BigInt64Array.of(-1n, 2n ** 60n));
    expect(file.readFloat32('f16')).toEqual(Float32Array.of(0.0999755859375, Number.POSITIVE_INFINITY));
    expect(file.readFloat32('bf16')).toEqual(Float32Array.of(1, 2, 3, 256));
    expect(file.readFloat32('bits')).toEqual(Float32Array.of(1));
    expect(file.readFloat32('f64')).toEqual(Float32Array.of(0.5));
    expect(file.readIntegers('i32')).toEqual([-7, 9]);
    expect(file.readIntegers('bool')).toEqual([1, 0, 1]);
    expect(file.readFloat32('none')).toEqual(new Float32Array(0));
    file.close();
  });

  it('reads rows', async () => {
    const file = await written();
    expect(file.readWeightRows('f32', 1, 3)).toEqual(Float32Array.of(3, 4, 5, 6));
    expect(file.readWeightRows('bf16', 1, 2)).toEqual(Float32Array.of(3, 256));
    expect(file.readWeightRows('f32', 2, 2)).toEqual(new Float32Array(0));
    expect(() => file.readWeightRows('f32', 1, 4)).toThrow('rows 1 to 4');
    file.close();
  });

  it('widens large tensors in pieces without a seam', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    const size = (1 << 22) + 5;
    const data = Float32Array.from({ length: size }, (_, i) => i % 256);
    await writeSafetensors(path, [{ name: 'a', dtype: 'BF16', shape: [size], data }]);
    const file = SafetensorsFile.open(path);
    expect(Buffer.compare(Buffer.from(file.readFloat32('a').buffer), Buffer.from(data.buffer))).toBe(0);
    file.close();
  });

  it('refuses what it cannot give', async () => {
    const file = await written();
    expect(() => file.read('other')).toThrow(/has no tensor "other"/);
    expect(() => file.readFloat32('i64')).toThrow(/"i64" has dtype I64, but floats are needed/);
    expect(() => file.readIntegers('i64')).toThrow(/does not hold whole numbers/);
    expect(() => file.readIntegers('f32')).toThrow(/does not hold whole numbers/);
    truncateSync(file.path, 600);
    expect(() => file.readFloat32('bf16')).toThrow(/ends at byte .* sooner than when it was opened/);
    file.close();
    expect(() => file.read('f32')).toThrow('read after it was closed');
  });
});

describe('writing', () => {
  const entry = (value: number): TensorEntry => ({
    name: 'a',
    dtype: 'F32',
    shape: [100],
    data: new Float32Array(100).fill(value),
  });

  it('aligns the data', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, [entry(1)]);
    expect(readFileSync(path).readBigUInt64LE() % 8n).toBe(0n);
  });

  it('accepts a disk that takes few bytes at a time', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, [entry(1)], { files: smallDisk(1e6, 7) });
    expect(SafetensorsFile.open(path).readFloat32('a')).toEqual(new Float32Array(100).fill(1));
  });

  it.skipIf(!existsSync(FULL_DEVICE))('keeps the old file when the device is full', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.safetensors');
    await writeSafetensors(path, [entry(1)]);
    const writing = writeSafetensors(path, [entry(2)], { files: fullDiskFor(/./) });
    await expect(writing).rejects.toThrow(UserError);
    await expect(writing).rejects.toThrow(/cannot be written; the disk is full: free some space/);
    expect(SafetensorsFile.open(path).readFloat32('a')).toEqual(new Float32Array(100).fill(1));
    expect(readdirSync(folder)).toEqual(['x.safetensors']);
  });

  it('keeps the old file when the disk fills up in the middle', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.safetensors');
    await writeSafetensors(path, [entry(1)]);
    const before = readFileSync(path);
    for (const capacity of [0, 1, 100, before.length - 1]) {
      const writing = writeSafetensors(path, [entry(2)], { files: smallDisk(capacity, 64) });
      await expect(writing).rejects.toThrow(/the disk is full/);
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(readdirSync(folder)).toEqual(['x.safetensors']);
    }
  });

  it('names the remedy for a folder that does not exist', async () => {
    const path = join(scratchFolder(), 'none', 'x.safetensors');
    await expect(writeSafetensors(path, [entry(1)])).rejects.toThrow(
      /the folder does not exist: create it first/,
    );
  });

  it('refuses values that do not fit their shape or type: our own mistake', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await expect(writeSafetensors(path, [{ ...entry(1), shape: [99] }])).rejects.toThrow('has 100 values');
    await expect(writeSafetensors(path, [{ ...entry(1), dtype: 'I32' }])).rejects.toThrow('a Float32Array');
    await expect(writeSafetensors(path, [entry(1), entry(2)])).rejects.toThrow('written twice');
    expect(existsSync(path)).toBe(false);
  });
});
