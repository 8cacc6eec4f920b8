/** @module JSON with large files in it as base64, made without holding up the event loop. */
import { randomUUID } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import type { ImageFile } from './pictures.js';

/** Bytes encoded between two turns of the event loop: about a millisecond. A multiple of 3, so that pieces join. */
const PIECE = 3 * 2 ** 18;

/** A file as a data URI; it stands in a body's place of a string. */
export class DataUri {
  private constructor(readonly pieces: readonly Uint8Array[]) {}

  static async of({ type, bytes }: ImageFile): Promise<DataUri> {
    const pieces: Uint8Array[] = [Buffer.from(`data:${type};base64,`, 'latin1')];
    const { buffer, byteOffset, length } = bytes;
    for (let at = 0; at < length; at += PIECE) {
      if (at > 0) await breathe();
      const piece = Buffer.from(buffer, byteOffset + at, Math.min(PIECE, length - at));
      pieces.push(Buffer.from(piece.toString('base64'), 'latin1'));
    }
    return new DataUri(pieces);
  }
}

/** `body` as JSON. What is sent is the pieces one after the other, so that no second copy of the pictures is made. */
export function jsonOf(body: unknown): Blob {
  const files: DataUri[] = [];
  // No text can hold it: it is drawn anew each time.
  const mark = randomUUID();
  const text = JSON.stringify(body, (_, value: unknown) => {
    if (!(value instanceof DataUri)) return value;
    files.push(value);
    return mark;
  });
  const parts = text.split(mark).flatMap((part, i) => [part, ...(files[i]?.pieces ?? [])]);
  return new Blob(parts);
}
