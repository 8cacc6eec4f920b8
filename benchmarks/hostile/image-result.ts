/** @module What one picture cost. */
import { z } from 'zod';

export const hostileResult = z.object({
  milliseconds: z.number(),
  /** The longest time between two turns of the event loop. */
  longestBlockMs: z.number(),
  /** The largest resident memory of the process itself; decoders are processes of their own. */
  peakMib: z.number(),
  outcome: z.string(),
});
export type HostileResult = z.infer<typeof hostileResult>;
