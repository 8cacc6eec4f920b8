/** @module How large a picture may be so that its verdict does not take longer than a minute on this machine. */
import type { Pace } from '../engines/engine.js';
import type { Size } from '../images/frames.js';

/** Seconds that a person waits for a verdict without a doubt that it will come. */
const LIMIT_SECONDS = 60;
/** Pixels of a token: 2 × 2 patches of 14 × 14. */
const PIXELS_PER_TOKEN = 28 ** 2;
/** Images of so few tokens are never cut down: less would not show what there is to judge. */
const LEAST_TOKENS = 64;
/** An answer is seldom as long as it may be; more tokens are not planned for. */
const PLANNED_TOKENS = 128;

/** The most pixels of an image, all images of the item counted; null where they are small or fast enough as they are. */
export async function largestWithin(
  images: readonly Size[],
  newTokens: number,
  pace: () => Promise<Pace>,
): Promise<number | null> {
  const tokens = images.map(({ width, height }) => (width * height) / PIXELS_PER_TOKEN);
  const largest = Math.max(...tokens);
  if (largest <= LEAST_TOKENS) return null;
  const seconds = await pace();
  const answer = Math.min(newTokens, PLANNED_TOKENS);
  const lasts = (most: number): number =>
    seconds(
      tokens.reduce((sum, count) => sum + Math.min(count, most), 0),
      answer,
    );
  if (lasts(largest) <= LIMIT_SECONDS) return null;
  let [low, high] = [LEAST_TOKENS, Math.ceil(largest)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (lasts(middle) <= LIMIT_SECONDS) low = middle;
    else high = middle;
  }
  return low * PIXELS_PER_TOKEN;
}
