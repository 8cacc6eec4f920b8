import type { Qwen2_5_VLConfig } from './config.js';
import type { Grid } from './vision-layout.js';

export interface RopeIndexInputs {
  readonly inputIds: BigInt64Array;
  readonly attentionMask: BigInt64Array;
  readonly batch: number;
  readonly seq: number;
  readonly grids: readonly Grid[];
  readonly config: Qwen2_5_VLConfig;
}

/** Interim. */
export function getRopeIndex({ inputIds, attentionMask, batch, seq, grids, config }: RopeIndexInputs): {
  positionIds: BigInt64Array;
  ropeDeltas: number[];
} {
  const positionIds = new BigInt64Array(3 * batch * seq).fill(1n);
  const ropeDeltas: number[] = [];
  const merge = config.vision.spatialMergeSize;
  const image = BigInt(config.imageTokenId);
  let next = 0;
  for (let b = 0; b < batch; b++) {
    let position = 0;
    let count = 0;
    for (let i = 0; i < seq; ) {
      const at = b * seq + i;
      if (attentionMask[at] === 0n) {
        i++;
        continue;
      }
      if (inputIds[at] !== image) {
        for (let axis = 0; axis < 3; axis++) positionIds[axis * batch * seq + at] = BigInt(position);
        position++;
        count++;
        i++;
        continue;
      }
      const [t, gh, gw] = grids[next++];
      const [h, w] = [gh / merge, gw / merge];
      for (let k = 0; k < t * h * w; k++) {
        const p = [Math.floor(k / (h * w)), Math.floor(k / w) % h, k % w];
        for (let axis = 0; axis < 3; axis++) positionIds[axis * batch * seq + at + k] = BigInt(position + p[axis]);
      }
      position += Math.max(t, h, w);
      count += t * h * w;
      i += t * h * w;
    }
    ropeDeltas.push(position - count);
  }
  return { positionIds, ropeDeltas };
}
