/** @module Bytes of a picture to RGB, in the process that decodes. Everything here may meet hostile bytes. */
import sharp, { type Sharp } from 'sharp';
import { messageOf, UserError } from '../util/errors.js';
import { plainAvif } from './avif.js';
import { decodeBmp } from './bmp.js';
import { checkSize, readableFormat, type ReadOptions, viewOf } from './checks.js';
import type { ImageFormat, ReadableName } from './formats.js';
import type { Size } from './frames.js';
import { decodeGif } from './gif.js';
import type { RgbImage } from './image.js';
import { plainJpeg, withoutPadding } from './jpeg.js';
import { oriented, swapsSides } from './orientation.js';
import { cmykToRgb, premultipliedOnWhite, toRgb } from './pixels.js';
import { type Refuse, refusals } from './plain.js';
import { plainPng } from './png-chunks.js';
import { decodeTiff, measureTiff } from './tiff.js';
import { plainWebp, type PlainWebp } from './webp.js';

// Of libvips' loaders those that are used, and none for files.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Tiff', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`),
});

/** What a reader of one format is given. */
interface Given {
  readonly bytes: Uint8Array;
  readonly options: ReadOptions;
  readonly refuse: Refuse;
}

interface Reader {
  readonly decode: (given: Given) => RgbImage | Promise<RgbImage>;
  /** The size after orientation, without decoding; absent where the fixed header says it. */
  readonly measure?: (given: Given) => Size | Promise<Size>;
}

const READERS: Readonly<Record<ReadableName, Reader>> = {
  PNG: {
    decode: async ({ bytes, options, refuse }) => {
      const plain = plainPng(bytes, refuse);
      return oriented(await byLibvips(plain.bytes, options, refuse), plain.orientation);
    },
    measure: ({ bytes, refuse }) => {
      const size = { width: viewOf(bytes).getUint32(16), height: viewOf(bytes).getUint32(20) };
      return turned(size, plainPng(bytes, refuse).orientation);
    },
  },
  JPEG: {
    decode: async ({ bytes, options, refuse }) => {
      const plain = plainJpeg(bytes, refuse);
      // libjpeg only warns where pixels are missing, and fills them with gray.
      const decode = (jpeg: Uint8Array): Promise<RgbImage> =>
        byLibvips(jpeg, options, refuse, { failOn: 'warning' });
      const image = await decode(plain.bytes).catch((error: unknown) => {
        const padded = withoutPadding(plain.bytes, messageOf(error));
        if (padded === undefined) throw error;
        return decode(padded);
      });
      return oriented(image, plain.orientation);
    },
    measure: async ({ bytes, options, refuse }) => {
      const plain = plainJpeg(bytes, refuse);
      return turned(await headerSize(plain.bytes, options, refuse), plain.orientation);
    },
  },
  GIF: { decode: ({ bytes, options }) => decodeGif(bytes, options) },
  WebP: {
    decode: async ({ bytes, options, refuse }) => {
      const plain = plainWebp(bytes, refuse);
      if (plain.canvas === undefined) {
        return oriented(await byLibvips(plain.bytes, options, refuse), plain.orientation);
      }
      checkSize([plain.canvas.width, plain.canvas.height], options);
      return onCanvas(await byLibvips(plain.bytes, options, refuse), plain.canvas, refuse);
    },
    measure: async ({ bytes, options, refuse }) => {
      const plain = plainWebp(bytes, refuse);
      if (plain.canvas !== undefined) return plain.canvas;
      return turned(await headerSize(plain.bytes, options, refuse), plain.orientation);
    },
  },
  BMP: { decode: ({ bytes, options }) => decodeBmp(bytes, options.subject) },
  TIFF: {
    decode: ({ bytes, options, refuse }) =>
      decodeTiff(bytes, options, (plain) => byLibvips(plain, options, refuse, { failOn: 'warning' })),
    measure: ({ bytes, options }) => {
      const { orientation, ...size } = measureTiff(bytes, options);
      return turned(size, orientation);
    },
  },
  AVIF: {
    // libheif turns the picture itself, as the file's own properties say; EXIF does not count.
    decode: ({ bytes, options, refuse }) => {
      const plain = plainAvif(bytes, refuse);
      return byLibvips(plain.bytes, options, refuse, { premultiplied: plain.premultiplied });
    },
    measure: ({ bytes, options, refuse }) => headerSize(plainAvif(bytes, refuse).bytes, options, refuse),
  },
};

/** A picture as RGB. @throws UserError for what cannot be read whole. */
export async function readPicture(bytes: Uint8Array, options: ReadOptions): Promise<RgbImage> {
  const { reader, given } = readerOf(bytes, options);
  return await reader.decode(given);
}

/** Its size alone, after its orientation is applied. */
export async function measurePicture(bytes: Uint8Array, options: ReadOptions): Promise<Size> {
  const { reader, given, format } = readerOf(bytes, options);
  if (reader.measure !== undefined) {
    const { width, height } = await reader.measure(given);
    checkSize([width, height], options);
    return { width, height };
  }
  const [width, height] = format.declaredSize?.(viewOf(bytes)) ?? [0, 0];
  return { width, height };
}

function readerOf(
  bytes: Uint8Array,
  options: ReadOptions,
): { reader: Reader; given: Given; format: ImageFormat } {
  const format = readableFormat(bytes, options);
  const reader = READERS[format.name];
  return { reader, format, given: { bytes, options, refuse: refusals(options.subject, format.name) } };
}

const turned = ({ width, height }: Size, orientation: number | undefined): Size =>
  orientation !== undefined && swapsSides(orientation) ? { width: height, height: width } : { width, height };

/** A frame of an animation on its canvas. */
function onCanvas(frame: RgbImage, canvas: NonNullable<PlainWebp['canvas']>, refuse: Refuse): RgbImage {
  const { width, height, left, top, transparent } = canvas;
  // The frame's own header may say another size than the animation's.
  if (left + frame.width > width || top + frame.height > height) {
    return refuse.damaged('its first frame lies outside of its canvas');
  }
  if (frame.width === width && frame.height === height) return frame;
  const data = new Uint8Array(width * height * 3).fill(transparent ? 255 : 0);
  for (let y = 0; y < frame.height; y++) {
    const row = frame.data.subarray(y * frame.width * 3, (y + 1) * frame.width * 3);
    data.set(row, ((top + y) * width + left) * 3);
  }
  return { width, height, data };
}

interface LibvipsOptions {
  readonly failOn?: 'error' | 'warning';
  readonly premultiplied?: boolean;
}

async function headerSize(bytes: Uint8Array, options: ReadOptions, refuse: Refuse): Promise<Size> {
  return await explained(refuse, async () => {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    checkSize([width, height], options);
    return { width, height };
  });
}

async function byLibvips(
  bytes: Uint8Array,
  options: ReadOptions,
  refuse: Refuse,
  { failOn = 'error', premultiplied = false }: LibvipsOptions = {},
): Promise<RgbImage> {
  const open = (limitInputPixels: number | false): Sharp =>
    sharp(bytes, { ignoreIcc: true, failOn, limitInputPixels });
  return await explained(refuse, async () => {
    // Reads the header only; the limit is ours so that the message can name the size.
    const { width, height, space } = await open(false).metadata();
    checkSize([width, height], options);
    const image = open(options.maxPixels);
    const cmyk = space === 'cmyk';
    if (cmyk) image.pipelineColourspace('cmyk').toColourspace('cmyk');
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const rgb = cmyk
      ? cmykToRgb(data)
      : premultiplied && info.channels === 4
        ? premultipliedOnWhite(data)
        : toRgb(data, info.channels);
    return { width: info.width, height: info.height, data: rgb };
  });
}

/** A decoder's complaint as one sentence. */
async function explained<Value>(refuse: Refuse, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    // sharp's own words come first and say little; the decoder's first line is the cause, the others repeat it.
    const cause = messageOf(error)
      .replace(/^(?:Input buffer has corrupt header: ?|Warning treated as error due to failOn setting\n)/, '')
      .split('\n', 1)[0];
    return refuse.damaged(cause || 'its header is not valid');
  }
}
