import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeImage } from '../images/decode.js';
import type { EngineImage, EngineMessage } from './engine.js';
import { cleanUp, FINE, faulty, json, REQUEST } from './faulty-server.test-util.js';
import { fileOf, pixelsOf } from './pictures.js';
import { DataUri, jsonOf } from './request-body.js';
import type { WireRequest } from './stand-in-server.test-util.js';

afterEach(cleanUp);

/** Grain that no compressor removes. */
function grain(width: number, height: number, channels: 3 | 4 = 3) {
  let state = 7;
  const data = Uint8Array.from({ length: width * height * channels }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state >> 16;
  });
  return { width, height, data, file: sharp(data, { raw: { width, height, channels } }) };
}

const seeing = (...images: EngineImage[]): EngineMessage[] => [
  { role: 'user', content: images.map((image) => ({ type: 'image', image })) },
];
function sent({ messages }: WireRequest): { type: string; bytes: Buffer }[] {
  const content = messages.at(-1)?.content;
  if (typeof content !== 'object') throw new Error('no parts were sent');
  return content.flatMap(({ image_url }) => {
    const [, type, data] = /^data:([a-z/]+);base64,([A-Za-z0-9+/]*=*)$/u.exec(image_url?.url ?? '') ?? [];
    return type === undefined ? [] : [{ type, bytes: Buffer.from(data, 'base64') }];
  });
}

describe('a picture on its way to a server', () => {
  it('is its own file, byte for byte, where nothing was changed', async () => {
    const { file } = grain(40, 30);
    const { engine, bodies } = await faulty([json(200, FINE)]);
    const files = [await file.jpeg().toBuffer(), await file.png().toBuffer()];
    const pixels = (): never => {
      throw new Error('the pixels of a file that is sent as it is are not needed');
    };
    await engine.complete({
      ...REQUEST,
      messages: seeing(...files.map((one) => ({ file: one, pixels })), files[0]),
    });
    expect(sent(bodies[0])).toEqual([
      { type: 'image/jpeg', bytes: files[0] },
      { type: 'image/png', bytes: files[1] },
      { type: 'image/jpeg', bytes: files[0] },
    ]);
  });

  it.each<[string, () => Promise<Uint8Array>]>([
    ['a turned JPEG', () => grain(40, 30).file.withMetadata({ orientation: 6 }).jpeg().toBuffer()],
    ['a turned PNG', () => grain(40, 30).file.withMetadata({ orientation: 3 }).png().toBuffer()],
    ['transparency', () => grain(40, 30, 4).file.png().toBuffer()],
    ['CMYK', () => grain(40, 30).file.toColourspace('cmyk').jpeg().toBuffer()],
    ['16 bits', () => grain(40, 30).file.toColourspace('rgb16').png().toBuffer()],
    ['WebP', () => grain(40, 30).file.webp().toBuffer()],
    ['GIF', () => grain(40, 30).file.gif().toBuffer()],
  ])('is encoded anew where servers may read its file otherwise: %s', async (_, make) => {
    const file = await make();
    const expected = await decodeImage(file);
    for (const image of [file, { file, pixels: () => decodeImage(file) }]) {
      const { type, bytes } = await fileOf(image);
      expect(type).toBe('image/png');
      expect(await decodeImage(bytes)).toEqual(expected);
    }
  });

  it('is exact up to a limit of pixels, and a JPEG that is close to it above', async () => {
    const { file: _, ...small } = grain(1280, 784);
    const { type, bytes } = await fileOf(small);
    expect(type).toBe('image/png');
    expect(Buffer.compare((await pixelsOf(bytes)).data, small.data)).toBe(0);
    const large = await sharp({ create: { width: 4000, height: 3000, channels: 3, background: '#c06020' } })
      .raw()
      .toBuffer();
    const file = await fileOf({ width: 4000, height: 3000, data: large });
    expect(file.type).toBe('image/jpeg');
    const seen = await pixelsOf(file.bytes);
    expect([seen.width, seen.height]).toEqual([4000, 3000]);
    expect(
      Math.max(...seen.data.subarray(0, 30_000).map((level, i) => Math.abs(level - large[i]))),
    ).toBeLessThan(3);
  });

  it('is encoded once for all chats of a batch, and read when its turn comes', async () => {
    let read = 0;
    let least = Infinity;
    const picture = (width: number) => ({
      pixels: () => {
        read++;
        return Promise.resolve(grain(width, 20));
      },
    });
    const { engine, bodies } = await faulty(
      [
        (response, request) => {
          least = Math.min(least, read);
          json(200, FINE)(response, request);
        },
      ],
      { concurrency: 1 },
    );
    const [first, second] = [picture(20), picture(30)];
    await engine.completeAll([seeing(first), seeing(second), seeing(first)], { maxNewTokens: 1 });
    expect(read).toBe(2);
    expect(least).toBe(1);
    const [a, b, c] = bodies.map((body) => sent(body)[0].bytes);
    expect(c).toEqual(a);
    expect(b).not.toEqual(a);
  });

  it('that is not whole is refused before anything is sent', async () => {
    const { engine, bodies } = await faulty([json(200, FINE)]);
    const cut = (await grain(40, 30).file.jpeg().toBuffer()).subarray(0, 900);
    await expect(engine.complete({ ...REQUEST, messages: seeing(cut) })).rejects.toThrow(
      /truncated or damaged/,
    );
    expect(bodies).toEqual([]);
  });
});

describe('the JSON of a request', () => {
  it('holds files of any length, and text that looks like one, as they are', async () => {
    for (const length of [0, 1, 2, 3, 3 * 2 ** 18 - 1, 3 * 2 ** 18 + 1, 2_000_000]) {
      const bytes = Buffer.alloc(length, 'a picture');
      const uri = await DataUri.of({ type: 'image/png', bytes });
      const said = JSON.parse(await jsonOf({ text: 'data:image/png;base64,', uri, last: [uri] }).text()) as {
        text: string;
        uri: string;
        last: string[];
      };
      const expected = `data:image/png;base64,${bytes.toString('base64')}`;
      expect(said.text).toBe('data:image/png;base64,');
      expect([said.uri === expected, said.last[0] === expected]).toEqual([true, true]);
    }
  });
});
