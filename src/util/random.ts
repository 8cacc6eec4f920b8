import { createHash } from 'node:crypto';

/** The four 32-bit words of a generator: save it, restore it, and the same numbers follow. */
export type RandomState = readonly [number, number, number, number];

/**
 * Seeded pseudo-random numbers, equal on every machine: sfc32 (Chris Doty-Humphrey's small fast counter generator),
 * seeded through SHA-256 so that neighbouring seeds share nothing.
 */
export class Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private d = 0;

  constructor(seed: number | string) {
    const digest = createHash('sha256').update(String(seed)).digest();
    this.restore([digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), 1]);
    // sfc32's first outputs still show the seed; a dozen rounds mix it in.
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** Continues exactly where `state()` was taken. */
  restore(state: RandomState): void {
    [this.a, this.b, this.c, this.d] = state;
  }

  state(): RandomState {
    return [this.a, this.b, this.c, this.d];
  }

  /** An independent generator, decided by this seed's next number and `label`. */
  fork(label: string): Random {
    return new Random(`${this.u32()}/${label}`);
  }

  /** Uniform over 0 … 2³²−1. */
  u32(): number {
    const sum = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** Uniform over [0, 1) with 53 bits. */
  next(): number {
    return ((this.u32() >>> 5) * 67108864 + (this.u32() >>> 6)) / 9007199254740992;
  }

  /** Uniform over [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A uniform whole number of low … high, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.next() < p;
  }

  /** One of the items; the list must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)];
  }

  /** One of the items with probability in proportion to its weight. */
  weighted<T>(items: readonly (readonly [T, number])[]): T {
    let point = this.next() * items.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of items) {
      point -= weight;
      if (point < 0) return item;
    }
    return items[items.length - 1][0];
  }

  /** The items in a new, uniformly random order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  /** `count` different items in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    return this.shuffle(items).slice(0, count);
  }

  /** A standard normal number (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }
}
