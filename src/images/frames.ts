/** @module Messages between a process and its decoders: a JSON head and raw bytes behind it, over one pipe. */
import type { Duplex } from 'node:stream';
import { assert, InternalError } from '../util/errors.js';
import type { UserErrorCode } from '../util/errors.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** To a decoder. The bytes of the file follow `decode` and `measure`. */
export type Order =
  | {
      readonly kind: 'decode';
      readonly subject: string;
      readonly maxPixels: number;
      /** Hold the pixels until a `target` names the size that is wanted. */
      readonly holds: boolean;
    }
  | { readonly kind: 'measure'; readonly subject: string; readonly maxPixels: number }
  | { readonly kind: 'target'; readonly size: Size }
  | { readonly kind: 'drop' };

/** From a decoder. The pixels follow `image`. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'size'; readonly size: Size }
  | { readonly kind: 'image'; readonly size: Size; readonly original: Size; readonly rss: number }
  | { readonly kind: 'refused'; readonly message: string; readonly code: UserErrorCode }
  | { readonly kind: 'broken'; readonly name: string; readonly message: string; readonly stack: string };

/** Lengths of the head and of the bytes behind it, 32 bits each. */
const LENGTHS = 8;
/** A head is a few short fields and the name of a file. */
const MAX_HEAD = 1024 * 1024;

export function sendFrame(pipe: Duplex, head: Order | Report, bytes?: Uint8Array): void {
  const json = Buffer.from(JSON.stringify(head));
  assert(json.length <= MAX_HEAD, `a message to or from a decoder has a head of ${json.length} bytes`);
  const lengths = Buffer.alloc(LENGTHS);
  lengths.writeUInt32LE(json.length);
  lengths.writeUInt32LE(bytes?.length ?? 0, 4);
  pipe.write(Buffer.concat([lengths, json]));
  if (bytes !== undefined && bytes.length > 0) pipe.write(bytes);
}

/** Calls `receive` for each whole message that arrives. Bytes are copied once, into the array that is handed over. */
export function receiveFrames(
  pipe: Duplex,
  receive: (head: unknown, bytes: Uint8Array<ArrayBuffer>) => void,
): void {
  let part: 'lengths' | 'head' | 'bytes' = 'lengths';
  let wanted = room(LENGTHS);
  let filled = 0;
  let bytesLength = 0;
  let head: unknown;

  const next = (): void => {
    filled = 0;
    if (part === 'lengths') {
      const view = new DataView(wanted.buffer);
      const headLength = view.getUint32(0, true);
      bytesLength = view.getUint32(4, true);
      if (headLength > MAX_HEAD) throw new InternalError('the pipe of a decoder is out of step');
      part = 'head';
      wanted = room(headLength);
      return;
    }
    if (part === 'head') {
      head = JSON.parse(Buffer.from(wanted.buffer).toString());
      part = 'bytes';
      wanted = room(bytesLength);
      if (bytesLength > 0) return;
    }
    const bytes = wanted;
    part = 'lengths';
    wanted = room(LENGTHS);
    receive(head, bytes);
  };

  pipe.on('data', (chunk: Buffer) => {
    let from = 0;
    while (from < chunk.length) {
      const count = Math.min(chunk.length - from, wanted.length - filled);
      wanted.set(chunk.subarray(from, from + count), filled);
      filled += count;
      from += count;
      if (filled === wanted.length) next();
    }
  });
}

/** Memory of its own, so that it can be handed over; not filled with zeros first, for all of it is written. */
const room = (length: number): Uint8Array<ArrayBuffer> => {
  const { buffer } = Buffer.allocUnsafeSlow(length);
  return new Uint8Array(buffer);
};
