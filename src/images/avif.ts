/** @module What has to be known of an AVIF before it is decoded: its boxes, kept small, and whether its alpha is premultiplied. */
import { MAX_BRANDS } from './formats.js';
import type { Refuse } from './plain.js';

const BOX_HEADER = 8;
const FTYP_HEADER = 16;
/** A full box has a version and flags in front of its content. */
const FULL = 4;
/** Files have some ten boxes on a level. */
const MAX_BOXES = 1000;

interface Box {
  readonly type: string;
  readonly content: Uint8Array;
}

export interface PlainAvif {
  /** The file under the brand of a still picture: of a sequence its primary picture is read. */
  readonly bytes: Uint8Array;
  /** Colours are stored multiplied by alpha (reference `prem`). */
  readonly premultiplied: boolean;
}

/** @throws UserError for a sequence without a still picture, for boxes beyond the file, and for too many of them or of brands. */
export function plainAvif(bytes: Uint8Array, refuse: Refuse): PlainAvif {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FTYP_HEADER) return refuse.damaged('its first box is cut off');
  const brands = (view.getUint32(0) - FTYP_HEADER) / 4;
  if (brands > MAX_BRANDS) return refuse.tooMuch(`names more than ${MAX_BRANDS} brands`);
  const meta = boxes(bytes, refuse).find(({ type }) => type === 'meta');
  if (meta === undefined) {
    return boxes(bytes, refuse).some(({ type }) => type === 'moov')
      ? refuse.unsupported('is a sequence without a still picture')
      : refuse.damaged('it holds no picture');
  }
  const references = boxes(meta.content.subarray(FULL), refuse).find(({ type }) => type === 'iref');
  const premultiplied =
    references !== undefined &&
    boxes(references.content.subarray(FULL), refuse).some(({ type }) => type === 'prem');
  const still = Uint8Array.from(bytes);
  still.set(Buffer.from('avif'), BOX_HEADER);
  return { bytes: still, premultiplied };
}

/** The boxes that `bytes` consist of (ISO/IEC 14496-12, 4.2). */
function boxes(bytes: Uint8Array, refuse: Refuse): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Box[] = [];
  for (let at = 0; at + BOX_HEADER <= bytes.length; ) {
    const short = view.getUint32(at);
    const long = short === 1 && at + 16 <= bytes.length;
    // 1 stands for a length of 64 bits behind the type, 0 for the rest of the file.
    const length = long ? Number(view.getBigUint64(at + 8)) : short === 0 ? bytes.length - at : short;
    const header = long ? 16 : BOX_HEADER;
    if (length < header || at + length > bytes.length) return refuse.damaged('a box ends behind the file');
    if (found.length >= MAX_BOXES) return refuse.tooMuch(`has more than ${MAX_BOXES} boxes`);
    found.push({
      type: String.fromCharCode(...bytes.subarray(at + 4, at + 8)),
      content: bytes.subarray(at + header, at + length),
    });
    at += length;
  }
  return found;
}
