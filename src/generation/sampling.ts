/** @module From logits to a token: transformers' logits warpers, in transformers' order. */
import { assert } from '../util/errors.js';
import type { Random } from '../util/random.js';

/** How a token is chosen; greedy unless a temperature is given. Settings left out change nothing. */
export interface SamplingSettings {
  /** Logits are divided by this; 0 or left out means greedy. */
  readonly temperature?: number;
  /** Only the k largest logits stay (ties with the k-th too). */
  readonly topK?: number;
  /** The smallest set of tokens whose probability reaches this stays. */
  readonly topP?: number;
  /** Tokens below this share of the largest probability go. */
  readonly minP?: number;
  /** Logits of tokens seen in prompt or answer: positive ones divided, negative ones multiplied by this. */
  readonly repetitionPenalty?: number;
}

/** Changes logits in place; −∞ removes a token. */
type Warper = (logits: Float32Array, value: number, seen: ReadonlySet<number>) => void;

const sortedIds = (logits: Float32Array): number[] =>
  Array.from(logits.keys()).sort((a, b) => logits[a] - logits[b] || a - b);

const warpers: readonly (readonly [keyof SamplingSettings, Warper])[] = [
  [
    'repetitionPenalty',
    (logits, penalty, seen) => {
      for (const id of seen) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    },
  ],
  [
    'temperature',
    (logits, temperature) => {
      if (temperature === 0) return;
      for (let i = 0; i < logits.length; i++) logits[i] /= temperature;
    },
  ],
  [
    'topK',
    (logits, k) => {
      if (k <= 0 || k >= logits.length) return;
      const threshold = Float32Array.from(logits).sort()[logits.length - k];
      for (let i = 0; i < logits.length; i++) if (logits[i] < threshold) logits[i] = -Infinity;
    },
  ],
  [
    'topP',
    (logits, p) => {
      if (p >= 1) return;
      const probabilities = softmax(logits);
      const ascending = sortedIds(logits);
      let below = 0;
      // The most probable token always stays.
      for (const id of ascending.slice(0, -1)) {
        below += probabilities[id];
        if (below > 1 - p) break;
        logits[id] = -Infinity;
      }
    },
  ],
  [
    'minP',
    (logits, share) => {
      const probabilities = softmax(logits);
      const least = share * probabilities.reduce((a, b) => Math.max(a, b), 0);
      for (let i = 0; i < logits.length; i++) if (probabilities[i] < least) logits[i] = -Infinity;
    },
  ],
];

/** A copy of `logits` [V] after all settings, −∞ where a token is removed. `seen`: ids of the prompt and the answer so far. */
export function warpLogits(
  logits: Float32Array,
  settings: SamplingSettings,
  seen: ReadonlySet<number>,
): Float32Array {
  const out = logits.slice();
  for (const [name, warp] of warpers) {
    const value = settings[name];
    if (value !== undefined) warp(out, value, seen);
  }
  return out;
}

/** The id of the largest logit, the lowest of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** The ids of the `count` largest logits, the largest first, the lower of equals. */
export function largestIds(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  if (count < 1) return best;
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && logits[id] <= logits[best[count - 1]]) continue;
    let place = Math.min(best.length, count - 1);
    for (; place > 0 && logits[id] > logits[best[place - 1]]; place--) best[place] = best[place - 1];
    best[place] = id;
  }
  return best;
}

/**
 * The token that the settings choose; `random` is used only when sampling. `known` are the exponentials of logits that differ
 * from these in what is removed (−∞) alone, at the same temperature: computing them is most of the work.
 */
export function chooseToken(
  logits: Float32Array,
  settings: SamplingSettings,
  seen: ReadonlySet<number>,
  random: Random,
  known?: Exponentials,
): number {
  const greedy = !settings.temperature;
  if (greedy && (settings.repetitionPenalty ?? 1) === 1) return argmax(logits);
  if (greedy) return argmax(warpLogits(logits, { repetitionPenalty: settings.repetitionPenalty }, seen));
  const warped = warpLogits(logits, settings, seen);
  const reusable = known !== undefined && (settings.repetitionPenalty ?? 1) === 1;
  return (reusable ? draw(known, warped, random) : null) ?? drawAny(warped, random);
}

/** exp(logit − largest) of all logits in f64, and their sum. */
export interface Exponentials {
  readonly largest: number;
  readonly powers: Float64Array;
  readonly sum: number;
}

export function exponentials(logits: Float32Array): Exponentials {
  const largest = logits[argmax(logits)];
  const powers = new Float64Array(logits.length);
  let sum = 0;
  // Loops, not callbacks: this runs over the whole vocabulary for every token.
  for (let i = 0; i < powers.length; i++) {
    powers[i] = Math.exp(logits[i] - largest);
    sum += powers[i];
  }
  return { largest, powers, sum };
}

/** log Σ exp of all logits: subtract it from a logit for its log-probability. */
export function logSumExp(logits: Float32Array): number {
  const largest = logits[argmax(logits)];
  let sum = 0;
  // Nothing is kept: a greedy answer asks for this at every token of a vocabulary of 150,000.
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - largest);
  return largest + Math.log(sum);
}

export const logOfSum = ({ largest, sum }: Exponentials): number => largest + Math.log(sum);

/** One of the tokens that are not removed, in proportion to their exponentials; null where those are too small to tell. */
function draw({ powers }: Exponentials, warped: Float32Array, random: Random): number | null {
  let sum = 0;
  for (let id = 0; id < powers.length; id++) if (warped[id] !== -Infinity) sum += powers[id];
  if (sum < Number.EPSILON) return null;
  let point = random.next() * sum;
  let last = 0;
  for (let id = 0; id < powers.length; id++) {
    if (warped[id] === -Infinity || powers[id] === 0) continue;
    point -= powers[id];
    if (point < 0) return id;
    last = id;
  }
  // Rounding may leave a sliver beyond the last token: the last possible one takes it.
  return last;
}

function drawAny(logits: Float32Array, random: Random): number {
  const id = draw(exponentials(logits), logits, random);
  assert(id !== null, 'the largest of the logits has the exponential 1');
  return id;
}

/** Probabilities in f64. */
function softmax(logits: Float32Array): Float64Array {
  const { powers, sum } = exponentials(logits);
  for (let i = 0; i < powers.length; i++) powers[i] /= sum;
  return powers;
}
