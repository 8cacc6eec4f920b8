import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSource } from './source.js';

const FILE = 'test/goldens/images/rgb-20x11.png';
const BYTES = new Uint8Array(readFileSync(FILE));
const BASE64 = Buffer.from(BYTES).toString('base64');
const PERCENT = [...BYTES].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const own = (): ArrayBuffer => BYTES.slice().buffer as ArrayBuffer;

describe('every form of a picture', () => {
  it.each<[string, unknown]>([
    ['path', FILE],
    ['file URL', pathToFileURL(resolve(FILE)).href],
    ['URL object', pathToFileURL(resolve(FILE))],
    ['Uint8Array', BYTES],
    ['Buffer', Buffer.from(BYTES)],
    ['ArrayBuffer', own()],
    ['DataView', new DataView(own())],
    ['Blob', new Blob([own()])],
    ['File', new File([new Blob([own()])], 'x.png')],
    ['ReadableStream', new Blob([own()]).stream()],
    [
      'async iterable',
      (async function* () {
        yield BYTES.subarray(0, 9);
        yield BYTES.subarray(9);
      })(),
    ],
    ['data URI', `data:image/png;base64,${BASE64}`],
    ['data URI without a subtype', `data:image;base64,${BASE64}`],
    ['data URI without a type', `data:;base64,${BASE64}`],
    ['data URI with parameters', `data:image/png;charset=utf-8;name=x.png;base64,${BASE64}`],
    ['data URI in capitals', `DATA:IMAGE/PNG;BASE64,${BASE64}`],
    ['data URI with line breaks', `data:image/png;base64,${BASE64.replace(/.{20}/gu, '$&\r\n ')}`],
    ['data URI with escaped base64', `data:image/png;base64,${encodeURIComponent(BASE64)}`],
    ['data URI in percent signs', `data:image/png,${PERCENT}`],
    ['data URI as URL', new URL(`data:image/png;base64,${BASE64}`)],
  ])('is read: %s', async (_, source) => {
    const read = await readSource(source);
    expect('bytes' in read && Buffer.compare(read.bytes, BYTES)).toBe(0);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /an image cannot be undefined; give a path/],
    [7, /cannot be a number/],
    [Promise.resolve(), /a promise \(await it first\)/],
    [new Response(), /give await response\.blob\(\)/],
    [new Uint16Array(4), /cannot be a Uint16Array/],
    [{ url: 'x' }, /cannot be an object with url/],
    [{ width: 1, height: 1, data: new Uint8Array(4) }, /which is RGBA: leave the alpha out/],
    [{ width: 1, height: 1, data: 'x' }, /a string was given/],
    [
      (async function* () {
        yield 'text';
      })(),
      /gives a string where bytes are expected/,
    ],
    ['data:image/png;base64', /has no comma/],
    [
      `data:image/png;base64,${'*'.repeat(5000)}`,
      /^the data URI data:image\/png;base64,… \(5022 characters\) is broken: it has/,
    ],
  ])('is refused with what it is (%#)', async (source, message) => {
    await expect(readSource(source)).rejects.toThrow(message);
  });

  it('shortens long names', async () => {
    await expect(readSource('x'.repeat(100_000))).rejects.toThrow(/^.{300,600}$/u);
  });

  it('ends with its signal, also in a stream that is silent', async () => {
    const control = new AbortController();
    const silent = new ReadableStream<Uint8Array>({});
    const reading = readSource(silent, {}, control.signal);
    control.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});
