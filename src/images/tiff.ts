/** @module The first picture of a TIFF, read here: libvips shows missing tiles as black and takes any fourth sample for alpha. */
import { checkSize, type ReadOptions } from './checks.js';
import type { RgbImage } from './image.js';
import { oriented, xmpOrientation } from './orientation.js';
import { cmykToRgb, toRgb } from './pixels.js';
import { refusals, type Refuse } from './plain.js';
import { bitReversed, undoDifferences, UNPACKERS } from './tiff-codecs.js';
import { readTiffDirectory, TAG, type TiffDirectory, type TiffLayout, tiffLayout } from './tiff-directory.js';
import { rebuiltTiff } from './tiff-rebuild.js';

/** Decodes a file of one sound picture by libvips. */
export type OtherDecoder = (bytes: Uint8Array) => Promise<RgbImage>;

const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR] = [0, 1, 2, 3, 5, 6] as const;
/** Samples that make up the colour. */
const COLOURS: Readonly<Record<number, number>> = {
  [WHITE_IS_ZERO]: 1,
  [BLACK_IS_ZERO]: 1,
  [RGB]: 3,
  [PALETTE]: 1,
  [CMYK]: 4,
  [YCBCR]: 3,
};
/** What an extra sample is (TIFF 6.0, section 18); 999 is what Corel Draw 10 writes for 2. */
const [PREMULTIPLIED, STRAIGHT, STRAIGHT_COREL] = [1, 2, 999] as const;
/** CCITT run lengths, groups 3 and 4, and JPEG: decoded by libtiff from a file that is made anew. */
const BY_LIBTIFF = new Set([2, 3, 4, 7]);
const JPEG = 7;
const COMPRESSION_NAMES: Readonly<Record<number, string>> = {
  6: 'the JPEG of before 1995',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34925: 'LZMA',
  50000: 'Zstandard',
  50001: 'WebP',
  50002: 'JPEG XL',
  52546: 'JPEG XL',
};
const PHOTOMETRIC_NAMES: Readonly<Record<number, string>> = {
  4: 'a mask',
  6: 'YCbCr without JPEG',
  8: 'Lab colours',
  9: 'Lab colours',
  10: 'Lab colours',
  32803: 'raw data of a camera sensor',
  32844: 'LogL values',
  32845: 'LogLuv values',
  34892: 'raw data of a camera sensor',
};
/** Colour, alpha and spot colours; each costs as much as the picture. */
const MAX_SAMPLES = 16;
/** A strip or tile is unpacked in one piece. */
const MAX_SEGMENT_BYTES = 512 * 1024 * 1024;

/**
 * The first picture as RGB, as Pillow reads it: extra samples that are not declared as alpha are left out, premultiplied
 * alpha is undone, 16 bits are cut to the high byte, planes, tiles, both byte orders and BigTIFF are read alike.
 * @throws UserError where a strip or tile is not there in full, and by name for what is not read.
 */
export async function decodeTiff(
  bytes: Uint8Array,
  options: ReadOptions,
  byLibtiff: OtherDecoder,
): Promise<RgbImage> {
  const refuse = refusals(options.subject, 'TIFF');
  const directory = readTiffDirectory(bytes, refuse);
  const size = tiffSize(directory, options, refuse);
  const form = formOf(directory, refuse);
  const rowBytes = (width: number): number =>
    Math.ceil((width * form.bits * (form.planar ? 1 : form.samples)) / 8);
  const layout = tiffLayout(
    directory,
    bytes,
    { planes: form.planar ? form.samples : 1, maxPixels: options.maxPixels, rowBytes },
    refuse,
  );
  if (layout.segmentHeight * rowBytes(layout.segmentWidth) > MAX_SEGMENT_BYTES) {
    return refuse.tooMuch('has strips or tiles of more than 512 MiB');
  }
  const image = BY_LIBTIFF.has(form.compression)
    ? await byLibtiff(rebuiltTiff(bytes, directory, layout))
    : { ...size, data: colours(samplesOf(bytes, layout, form, directory.little, refuse), form, directory) };
  return oriented(image, tiffOrientation(directory));
}

/** The size before orientation. */
function tiffSize(
  directory: TiffDirectory,
  options: ReadOptions,
  refuse: Refuse,
): { width: number; height: number } {
  if (directory.numbers(TAG.width) === undefined || directory.numbers(TAG.height) === undefined) {
    return refuse.damaged('it does not say its size');
  }
  const [width, height] = [directory.number(TAG.width, 0), directory.number(TAG.height, 0)];
  checkSize([width, height], options);
  return { width, height };
}

/** The size as declared, and the orientation. */
export function measureTiff(
  bytes: Uint8Array,
  options: ReadOptions,
): { width: number; height: number; orientation: number | undefined } {
  const refuse = refusals(options.subject, 'TIFF');
  const directory = readTiffDirectory(bytes, refuse);
  return { ...tiffSize(directory, options, refuse), orientation: tiffOrientation(directory) };
}

function tiffOrientation(directory: TiffDirectory): number | undefined {
  const xmp = directory.bytes(TAG.xmp);
  return directory.numbers(TAG.orientation)?.[0] ?? (xmp && xmpOrientation(xmp));
}

interface Form {
  readonly compression: number;
  readonly photometric: number;
  readonly bits: number;
  readonly samples: number;
  readonly planar: boolean;
  readonly differences: boolean;
  readonly reversed: boolean;
  /** The place of alpha among the samples, if there is one. */
  readonly alpha: number | undefined;
  readonly premultiplied: boolean;
}

/** How the samples are stored. @throws UserError by name for what is not read. */
function formOf(directory: TiffDirectory, refuse: Refuse): Form {
  const compression = directory.number(TAG.compression, 1);
  const photometric = directory.number(TAG.photometric, -1);
  const samples = directory.number(TAG.samplesPerPixel, 1);
  const eachBits = directory.numbers(TAG.bitsPerSample) ?? [1];
  const bits = eachBits[0] ?? 1;
  const formats = directory.numbers(TAG.sampleFormat) ?? [1];
  const predictor = directory.number(TAG.predictor, 1);
  const byLibtiff = BY_LIBTIFF.has(compression);
  if (!byLibtiff && UNPACKERS[compression] === undefined) {
    return refuse.unsupported(`is packed with ${COMPRESSION_NAMES[compression] ?? `method ${compression}`}`);
  }
  const colourCount = COLOURS[photometric];
  if (colourCount === undefined || (photometric === YCBCR && compression !== JPEG)) {
    const name = PHOTOMETRIC_NAMES[photometric] ?? `colours of kind ${photometric}`;
    return photometric < 0
      ? refuse.damaged('it does not say what its numbers mean')
      : refuse.unsupported(`holds ${name}`);
  }
  // 1 is unsigned, 4 unknown, which writers use for what is unsigned.
  if (formats.some((format) => format !== 1 && format !== 4)) {
    return refuse.unsupported('holds signed or floating-point numbers');
  }
  if (eachBits.some((other) => other !== bits))
    return refuse.unsupported(`has samples of ${eachBits.join(', ')} bits`);
  if (![1, 2, 4, 8, 16].includes(bits) || (photometric === PALETTE && bits > 8)) {
    return refuse.unsupported(`has samples of ${bits} bits`);
  }
  if (samples < colourCount)
    return refuse.damaged(`its ${samples} samples a pixel are too few for its colours`);
  if (samples > MAX_SAMPLES) return refuse.tooMuch(`has ${samples} samples a pixel`);
  if (predictor !== 1 && (predictor !== 2 || (bits !== 8 && bits !== 16))) {
    return refuse.unsupported(`stores differences of kind ${predictor} with ${bits} bits`);
  }
  const extra = alphaOf(directory, samples, colourCount, photometric, refuse);
  const planar = directory.number(TAG.planarConfiguration, 1) === 2 && samples > 1;
  if (byLibtiff && (samples !== colourCount || photometric === CMYK || photometric === PALETTE || planar)) {
    return refuse.unsupported('is packed with JPEG or as a fax and holds more than gray or RGB');
  }
  if (byLibtiff && bits !== (compression === JPEG ? 8 : 1)) {
    return refuse.unsupported(`has samples of ${bits} bits in a packing for others`);
  }
  return {
    compression,
    photometric,
    bits,
    samples,
    planar,
    // Packings other than LZW and deflate have no differences.
    differences: predictor === 2 && compression !== 1 && compression !== 32773,
    reversed: directory.number(TAG.fillOrder, 1) === 2,
    ...extra,
  };
}

function alphaOf(
  directory: TiffDirectory,
  samples: number,
  colourCount: number,
  photometric: number,
  refuse: Refuse,
): Pick<Form, 'alpha' | 'premultiplied'> {
  const none = { alpha: undefined, premultiplied: false };
  if (samples === colourCount) return none;
  const given = directory.numbers(TAG.extraSamples);
  // RGB with a fourth sample that is not explained is RGBA, as in Pillow.
  if (given === undefined)
    return photometric === RGB && samples === 4 ? { alpha: 3, premultiplied: false } : none;
  const place = given.findIndex((kind) =>
    [PREMULTIPLIED, STRAIGHT, STRAIGHT_COREL].includes(kind as 1 | 2 | 999),
  );
  if (place < 0 || colourCount + place >= samples) return none;
  if (photometric === CMYK) return refuse.unsupported('holds inks with alpha');
  return { alpha: colourCount + place, premultiplied: given[place] === PREMULTIPLIED };
}

/** Colours and alpha of all pixels, 8 bits each, interleaved. */
function samplesOf(
  file: Uint8Array,
  layout: TiffLayout,
  form: Form,
  little: boolean,
  refuse: Refuse,
): Uint8Array {
  const { width, height, segmentWidth, segmentHeight } = layout;
  const { bits, samples, planar } = form;
  const colourCount = COLOURS[form.photometric] ?? 1;
  const wanted = Array.from({ length: colourCount }, (_, i) => i);
  if (form.alpha !== undefined) wanted.push(form.alpha);
  const channels = wanted.length;
  const perRow = planar ? 1 : samples;
  const rowBytes = Math.ceil((segmentWidth * bits * perRow) / 8);
  const unpack = UNPACKERS[form.compression];
  const result = new Uint8Array(width * height * channels);
  // Small samples are stretched to 0 to 255; colour numbers are not.
  const scale = form.photometric === PALETTE || bits >= 8 ? 1 : 255 / (2 ** bits - 1);
  for (const { offset, byteCount, left, top, rows, plane } of layout.segments) {
    const places = planar ? [0] : wanted;
    const firstChannel = planar ? wanted.indexOf(plane) : 0;
    if (firstChannel < 0) continue;
    const stored = file.subarray(offset, offset + byteCount);
    const packed = form.reversed ? bitReversed(stored) : stored;
    let data = unpack?.(packed, rows * rowBytes, segmentHeight * rowBytes, refuse) ?? packed;
    if (form.differences) {
      // What was not unpacked is the file's own, or shared by several tiles.
      data = Uint8Array.from(data);
      undoDifferences(data, { rows, rowBytes, samples: perRow, bits, little });
    }
    const shownRows = Math.min(rows, height - top);
    const shownColumns = Math.min(segmentWidth, width - left);
    for (let y = 0; y < shownRows; y++) {
      const row = y * rowBytes;
      const target = ((top + y) * width + left) * channels + firstChannel;
      for (let p = 0; p < places.length; p++) {
        const place = places[p] ?? 0;
        let to = target + p;
        if (bits >= 8) {
          // Of 16 bits the high byte.
          const step = (bits / 8) * perRow;
          let from = row + (bits / 8) * place + (bits === 16 && little ? 1 : 0);
          for (let x = 0; x < shownColumns; x++, from += step, to += channels) result[to] = data[from] ?? 0;
        } else {
          const mask = 2 ** bits - 1;
          for (let x = 0; x < shownColumns; x++, to += channels) {
            const bit = (x * perRow + place) * bits;
            const value = ((data[row + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & mask;
            result[to] = value * scale;
          }
        }
      }
    }
  }
  return result;
}

/** Samples as RGB. */
function colours(samples: Uint8Array, form: Form, directory: TiffDirectory): Uint8Array {
  const alpha = form.alpha !== undefined;
  if (form.photometric === CMYK) return cmykToRgb(samples);
  if (form.photometric === PALETTE) return toRgb(...shownByPalette(samples, directory, form.bits, alpha));
  const channels = (COLOURS[form.photometric] ?? 1) + (alpha ? 1 : 0);
  if (form.photometric === WHITE_IS_ZERO) {
    for (let i = 0; i < samples.length; i++) if (!alpha || i % 2 === 0) samples[i] = 255 - (samples[i] ?? 0);
  }
  if (form.premultiplied) unmultiply(samples, channels);
  return toRgb(samples, channels);
}

/** All reds, then all greens, then all blues, of 16 bits. */
function shownByPalette(
  samples: Uint8Array,
  directory: TiffDirectory,
  bits: number,
  alpha: boolean,
): [Uint8Array, number] {
  const map = directory.numbers(TAG.colorMap) ?? [];
  const entries = 2 ** bits;
  const [step, channels] = alpha ? [2, 4] : [1, 3];
  const result = new Uint8Array((samples.length / step) * channels);
  for (let from = 0, to = 0; from < samples.length; from += step, to += channels) {
    const index = samples[from] ?? 0;
    for (let channel = 0; channel < 3; channel++)
      result[to + channel] = (map[channel * entries + index] ?? 0) >> 8;
    if (alpha) result[to + 3] = samples[from + 1] ?? 0;
  }
  return [result, channels];
}

/** Undoes the multiplication of colours by alpha, as Pillow does: cut off, not rounded. In place. */
function unmultiply(samples: Uint8Array, channels: number): void {
  for (let at = 0; at + channels <= samples.length; at += channels) {
    const alpha = samples[at + channels - 1] ?? 0;
    if (alpha === 0 || alpha === 255) continue;
    for (let i = at; i < at + channels - 1; i++) {
      samples[i] = Math.min(255, Math.floor((255 * (samples[i] ?? 0)) / alpha));
    }
  }
}
