/** @module Damaged pictures through the decoders: what must hold for every one of them. */
import { DecodePool } from '../../src/images/pool.js';
import { messageOf, UserError } from '../../src/util/errors.js';
import { Random } from '../../src/util/random.js';
import { mutate } from './mutate.js';
import { imageSeeds } from './seeds.js';

/** Pictures of this size take milliseconds; a busy machine may take a thousand times as long. */
const TIMEOUT_MS = 20_000;
const MAX_PIXELS = 2_000_000;
/** Decoders' memory after a tenth of the campaign and at its end may differ by what allocators keep. */
const MAX_GROWTH = 128 * 1024 * 1024;
/** Formats whose pixels are covered by checksums: what is damaged and still read must be unchanged. */
const CHECKED = /\.png$/;
/** Half of the decoders wait for their next picture otherwise. */
const AT_ONCE = 4;

export interface Finding {
  readonly index: number;
  readonly seed: string;
  readonly mutations: readonly string[];
  readonly problem: string;
  readonly bytes: Uint8Array;
}

export interface CampaignResult {
  readonly accepted: number;
  readonly refused: number;
  readonly findings: readonly Finding[];
  /** The most resident memory of a decoder, in bytes. */
  readonly peakRss: number;
}

export interface CampaignOptions {
  readonly seed: number;
  readonly count: number;
  /** Told after every thousandth picture. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Decodes `count` damaged pictures. Each is either read, into as many bytes as its size says, or refused with a
 * `UserError` of one line; none ends its decoder or its time; a cut one is refused or comes out unchanged; decoders do not
 * grow. The same seed gives the same pictures.
 */
export async function imageCampaign({ seed, count, onProgress }: CampaignOptions): Promise<CampaignResult> {
  const seeds = await imageSeeds();
  let early = 0;
  let late = 0;
  let done = 0;
  const pool = new DecodePool(undefined, (rss) => {
    if (done < count / 10) early = Math.max(early, rss);
    else late = Math.max(late, rss);
  });
  const decode = (bytes: Uint8Array): ReturnType<DecodePool['decode']> =>
    pool.decode({ bytes, subject: 'the image', maxPixels: MAX_PIXELS, timeoutMs: TIMEOUT_MS });
  const whole = new Map<string, Buffer>();
  for (const { name, bytes } of seeds) whole.set(name, Buffer.from((await decode(bytes)).image.data));

  const result = { accepted: 0, refused: 0 };
  const findings: Finding[] = [];
  const one = async (index: number): Promise<void> => {
    const random = new Random(`${seed}/${index}`);
    const [chosen, other] = [random.pick(seeds), random.pick(seeds)];
    const { bytes, mutations } = mutate(chosen.bytes, other.bytes, random);
    const found = (problem: string): void => {
      findings.push({ index, seed: chosen.name, mutations, problem, bytes });
    };
    try {
      const { image } = await decode(bytes);
      result.accepted++;
      if (image.data.length !== 3 * image.width * image.height) {
        found(`${image.data.length} bytes for ${image.width} × ${image.height}`);
      }
      const cutOnly = mutations.length === 1 && mutations[0] === 'truncate';
      const unchanged = whole.get(chosen.name)?.equals(image.data) ?? false;
      if ((cutOnly || (CHECKED.test(chosen.name) && onlySmall(mutations))) && !unchanged) {
        found('damaged, and read as another picture');
      }
    } catch (error) {
      result.refused++;
      if (!(error instanceof UserError)) found(`not a UserError: ${messageOf(error)}`);
      else if (error.code === 'too_slow' || error.message.includes('made its decoder fail')) {
        found(error.message);
      } else if (error.message.includes('\n')) found(`more than one line: ${error.message}`);
    }
    done++;
    if (done % 1000 === 0) onProgress?.(done);
  };
  try {
    let next = 0;
    const runner = async (): Promise<void> => {
      while (next < count) await one(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, runner));
  } finally {
    pool.close();
  }
  if (early > 0 && late > early + MAX_GROWTH) {
    const problem = `decoders grew from ${early} to ${late} bytes`;
    findings.push({ index: count, seed: 'all', mutations: [], problem, bytes: new Uint8Array() });
  }
  return { ...result, findings, peakRss: Math.max(early, late) };
}

/** Other files' parts and repeated ones may be whole pieces with checksums of their own. */
const onlySmall = (mutations: readonly string[]): boolean =>
  mutations.every((name) => ['flipBits', 'flipEarlyBits', 'zero'].includes(name));
