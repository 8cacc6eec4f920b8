import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventData } from './sse.js';

async function read(bytes: Uint8Array, cuts: readonly number[]): Promise<string[]> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let i = 1; i < places.length; i++)
      yield await Promise.resolve(bytes.subarray(places[i - 1], places[i]));
  }
  const found: string[] = [];
  for await (const data of eventData(chunks())) found.push(data);
  return found;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('server-sent events', () => {
  it('come out whole wherever their bytes are cut', async () => {
    const end = fc.constantFrom('\n', '\r\n', '\r');
    const data = fc
      .string({ unit: fc.constantFrom('a', ' ', ':', '漢', '😀', '"') })
      .map((text) => `x${text}`);
    await fc.assert(
      fc.asyncProperty(fc.array(data), end, fc.array(fc.nat()), async (events, eol, cuts) => {
        const wire = events
          .map((event) => `: note${eol}event: message${eol}data: ${event}${eol}${eol}`)
          .join('');
        expect(await read(encode(wire), cuts)).toEqual(events);
      }),
    );
  });

  it('join several lines of data, need no space, and count without their last empty line', async () => {
    expect(await read(encode('data: a\ndata:b\n\nid: 7\n\ndata\n\ndata: [DONE]'), [])).toEqual([
      'a\nb',
      '',
      '[DONE]',
    ]);
  });

  it('are read in time that grows with their length alone', async () => {
    // A line of many pieces: each is looked at once, so twice as many cost about twice as much.
    const seconds = async (pieces: number): Promise<number> => {
      const piece = encode('x'.repeat(1000));
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield encode('data: ');
        for (let i = 0; i < pieces; i++) yield await Promise.resolve(piece);
      }
      const begun = performance.now();
      for await (const data of eventData(chunks())) expect(data).toHaveLength(1000 * pieces);
      return performance.now() - begun;
    };
    await seconds(1000);
    // Sixteen times as many; quadratic would be 256 times.
    expect(await seconds(16_000)).toBeLessThan(100 * Math.max(1, await seconds(1000)));
  });
});
