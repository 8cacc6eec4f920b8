import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../util/errors.js';
import { decodeImage, measureImage } from './decode.js';
import { type DecodeJob, DecodePool } from './pool.js';
import { resizeBicubic } from './resize.js';

const photo = readFileSync('test/goldens/images/rgb-640x479.png');
const sideways = readFileSync('test/goldens/images/exif-6.jpg');

/** 45 million pixels, all black: small as a file, long in the making. */
function largeBmp(): Buffer {
  const [width, height] = [9000, 5000];
  const stride = Math.ceil(width / 32) * 4;
  const bytes = Buffer.alloc(62 + stride * height);
  bytes.write('BM', 'latin1');
  bytes.writeUInt32LE(62, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(1, 28);
  return bytes;
}

const job = (more: Partial<DecodeJob> = {}): DecodeJob => ({
  bytes: photo,
  subject: 'the image',
  maxPixels: 50_000_000,
  timeoutMs: 600_000,
  ...more,
});

describe('decoding in other processes', () => {
  const pool = new DecodePool(1);
  afterAll(() => pool.close());

  it('resizes to the size that is asked for when the size is known, exactly as here', async () => {
    const whole = await decodeImage(photo);
    const asked: unknown[] = [];
    const small = await decodeImage(photo, {
      resizeTo: (size) => {
        asked.push(size);
        return { width: 84, height: 56 };
      },
    });
    expect(asked).toEqual([{ width: 640, height: 479 }]);
    expect(small.original).toEqual({ width: 640, height: 479 });
    expect([small.width, small.height]).toEqual([84, 56]);
    expect(Buffer.compare(small.data, resizeBicubic(whole, 84, 56).data)).toBe(0);
  });

  it('measures as it decodes: after orientation', async () => {
    const { width, height } = await decodeImage(sideways);
    expect(await measureImage(sideways)).toEqual({ width, height });
    expect(await measureImage(largeBmp())).toEqual({ width: 9000, height: 5000 });
  });

  it('ends what takes too long, and goes on with the next', async () => {
    const late = pool.decode(job({ bytes: largeBmp(), timeoutMs: 1 }));
    await expect(late).rejects.toBeInstanceOf(UserError);
    await expect(late).rejects.toMatchObject({
      code: 'too_slow',
      message: expect.stringMatching(/^the image takes longer than 0.001 s/),
    });
    expect((await pool.decode(job())).original).toEqual({ width: 640, height: 479 });
  });

  it('ends at once when the caller gives up: waiting, decoding or resizing', async () => {
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const [first, second, third] = controllers.map(({ signal }) => signal);
    const resized = pool.decode(
      job({
        signal: first,
        resizeTo: () => {
          // The order to resize is on its way when this comes.
          setImmediate(() => controllers[0]?.abort(new Error('no longer wanted')));
          return { width: 9000, height: 9000 };
        },
      }),
    );
    const waiting = pool.decode(job({ signal: second }));
    const decoded = pool.decode(job({ bytes: largeBmp(), signal: third }));
    controllers[1]?.abort(new Error('not waited for'));
    await expect(waiting).rejects.toThrow('not waited for');
    await expect(resized).rejects.toThrow('no longer wanted');
    controllers[2]?.abort(new Error('stopped'));
    await expect(decoded).rejects.toThrow('stopped');
    await expect(pool.decode(job({ signal: AbortSignal.abort(new Error('never')) }))).rejects.toThrow(
      'never',
    );
    expect((await pool.decode(job())).image.width).toBe(640);
  });

  it('hands on what the caller itself throws, and keeps the process', async () => {
    const refused = pool.decode(
      job({
        resizeTo: () => {
          throw new UserError('too long and thin');
        },
      }),
    );
    await expect(refused).rejects.toThrow(new UserError('too long and thin'));
    expect((await pool.decode(job())).image.width).toBe(640);
  });

  it('many at once each get their own', async () => {
    const crowd = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        decodeImage(i % 2 ? photo : sideways, { resizeTo: () => ({ width: i + 1, height: 7 }) }),
      ),
    );
    expect(crowd.map(({ width, data }) => [width, data.length])).toEqual(
      crowd.map((_, i) => [i + 1, (i + 1) * 7 * 3]),
    );
  });

  it('keeps no program alive', () => {
    const script = `import { decodeImage } from './src/images/decode.ts';
      const { width } = await decodeImage('test/goldens/images/rgb-28x28.png');
      console.log(width);`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('28\n');
  });
});
