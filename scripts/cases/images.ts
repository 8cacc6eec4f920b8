import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { decodeImage } from '../../src/images/decode.js';
import type { RgbImage } from '../../src/images/image.js';
import { messageOf, UserError } from '../../src/util/errors.js';
import type { CheckedCase } from './checked-case.js';

const rgb = z.tuple([z.number(), z.number(), z.number()]);
const expectations = z.array(
  z.looseObject({
    file: z.string(),
    /** To be refused. */
    error: z.string().optional(),
    /** Refused, or these values. */
    either: z.boolean().optional(),
    width: z.number().optional(),
    height: z.number().optional(),
    mean: rgb.optional(),
    corner: rgb.optional(),
  }),
);
type Expected = z.infer<typeof expectations>[number];

/** Levels between decoders: JPEG's and AVIF's arithmetic is not laid down to the bit. */
const [LEVELS, LOSSY_LEVELS] = [1.5, 4];
const LOSSY = /\.(?:jpe?g|avif)$/iu;

/** A picture is ok where its size is exact and its mean and first pixel are near, or it is refused where it should be. */
export async function checkImages(folder: string): Promise<CheckedCase[]> {
  const text = await readFile(join(folder, 'expected.json'), 'utf8');
  const checked: CheckedCase[] = [];
  for (const expected of expectations.parse(JSON.parse(text))) {
    const fault = await faultOf(join(folder, expected.file), expected);
    checked.push({
      name: `images/${expected.file}`,
      isOk: fault === null,
      detail: fault === null ? '' : `: ${fault}`,
    });
  }
  return checked;
}

async function faultOf(path: string, expected: Expected): Promise<string | null> {
  const isRefusable = expected.error !== undefined || expected.either === true;
  let image: RgbImage;
  try {
    image = await decodeImage(await readFile(path));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return isRefusable ? null : `refused: ${messageOf(error)}`;
  }
  if (expected.error !== undefined) return `accepted, and it is ${expected.error}`;
  const { width, height } = image;
  if (width !== expected.width || height !== expected.height) {
    return `${width}×${height}, and ${expected.width}×${expected.height} is right`;
  }
  const levels = LOSSY.test(path) ? LOSSY_LEVELS : LEVELS;
  return (
    differs('mean', meanOf(image), expected.mean, levels) ??
    differs('first pixel', [...image.data.subarray(0, 3)], expected.corner, levels)
  );
}

function meanOf({ data }: RgbImage): number[] {
  const sums = [0, 0, 0];
  for (let i = 0; i < data.length; i++) sums[i % 3] += data[i];
  return sums.map((sum) => (sum * 3) / data.length);
}

function differs(
  what: string,
  found: readonly number[],
  right: readonly number[] | undefined,
  levels: number,
): string | null {
  if (right === undefined || found.every((value, i) => Math.abs(value - right[i]) <= levels)) return null;
  return `${what} ${found.map((value) => value.toFixed(1)).join(' ')}, and ${right.join(' ')} is right`;
}
