/** @module What one measuring process reports. */
import { z } from 'zod';

export const eventLoopResult = z.object({
  /** The longest time between two turns of the event loop, in milliseconds. */
  longestBlockMs: z.number(),
  /** From the first call to the last verdict. */
  seconds: z.number(),
  /** The largest resident memory of the process itself, in MiB; decoders are processes of their own. */
  peakMib: z.number(),
  labels: z.record(z.string(), z.number()),
});
export type EventLoopResult = z.infer<typeof eventLoopResult>;
