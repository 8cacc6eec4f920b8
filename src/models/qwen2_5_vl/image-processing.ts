import { z } from 'zod';
import type { RgbImage } from '../../images/image.js';
import { resizeBicubic } from '../../images/resize.js';
import { UserError } from '../../util/errors.js';
import { smartResize } from './smart-resize.js';

/** How images become patches, as a checkpoint's folder says it. */
export interface ImageProcessorConfig {
  readonly doResize: boolean;
  readonly doRescale: boolean;
  readonly doNormalize: boolean;
  /** Bounds of height x width after the resize. */
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly rescaleFactor: number;
  /** Mean and standard deviation of red, green and blue after rescaling. */
  readonly imageMean: readonly [number, number, number];
  readonly imageStd: readonly [number, number, number];
  readonly patchSize: number;
  readonly temporalPatchSize: number;
  readonly mergeSize: number;
}

/** Pictures of one size, one after the other in time. */
export interface Video {
  readonly frames: readonly RgbImage[];
  /** Frames a second. Default 24, as transformers 5 assumes of a video that does not say. */
  readonly fps?: number;
}

/** An image or a video as the vision tower takes it. */
export interface ProcessedImage {
  /** [t·h·w, channels·temporal·patch·patch], row after row; patches come in blocks of merge x merge. */
  readonly pixelValues: Float32Array;
  /** Patches in time, height and width. */
  readonly grid: readonly [t: number, h: number, w: number];
  /** Of a video: seconds from one patch in time to the next. A still image has none. */
  readonly secondsPerGrid?: number;
}

const CHANNELS = 3;
const DEFAULT_FPS = 24;
/** Pillow's number for bicubic, the only resampling this family is published with. */
const BICUBIC = 3;
/** Larger limits than any memory; they keep products of sizes exact. */
const MAX_LIMIT_PIXELS = 2 ** 31;

/**
 * To this a small picture may be made larger: what qwen_vl_utils gives a picture at most, 16,384 tokens. Larger pictures
 * are bounded by their own size.
 */
const MAX_MIN_PIXELS = 16_384 * 28 ** 2;

const pixels = z.int().min(1).max(MAX_LIMIT_PIXELS);
const triple = z.tuple([z.number(), z.number(), z.number()]);
const stdDeviation = z.number().positive();
/** Only the keys that change an outcome; defaults are those of transformers' Qwen2VLImageProcessor. */
const configSchema = z.object({
  do_resize: z.boolean().default(true),
  do_rescale: z.boolean().default(true),
  do_normalize: z.boolean().default(true),
  resample: z.literal(BICUBIC).default(BICUBIC),
  min_pixels: pixels.nullish(),
  max_pixels: pixels.nullish(),
  size: z
    .object({
      shortest_edge: pixels.nullish(),
      longest_edge: pixels.nullish(),
      min_pixels: pixels.nullish(),
      max_pixels: pixels.nullish(),
    })
    .nullish(),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  image_mean: triple.default([0.48145466, 0.4578275, 0.40821073]),
  image_std: z
    .tuple([stdDeviation, stdDeviation, stdDeviation])
    .default([0.26862954, 0.26130258, 0.27577711]),
  patch_size: z.int().min(1).max(256).default(14),
  temporal_patch_size: z.int().min(1).max(16).default(2),
  merge_size: z.int().min(1).max(16).default(2),
});
const DEFAULT_MIN_PIXELS = 56 * 56;
const DEFAULT_MAX_PIXELS = 28 * 28 * 1280;

/** @throws UserError where every picture would be made larger than any model takes it. */
function refuseGrowth(minPixels: number): void {
  if (minPixels <= MAX_MIN_PIXELS) return;
  throw new UserError(
    `pictures are to be made larger, to ${minPixels} pixels at least, and ${MAX_MIN_PIXELS} is the most; correct min_pixels (or size.shortest_edge)`,
    { code: 'too_large' },
  );
}

/**
 * Reads `preprocessor_config.json`, or `processor_config.json` as transformers 5 writes it (the same record under
 * `image_processor`). The limits may stand as `min_pixels`/`max_pixels` or in `size` (`shortest_edge`/`longest_edge`:
 * areas, in spite of the names); the former win, as in transformers.
 * @throws UserError for values that are missing their type or range; the message names the key.
 */
export function parseImageProcessorConfig(json: unknown): ImageProcessorConfig {
  const nested = z.object({ image_processor: z.unknown() }).safeParse(json);
  const record =
    nested.success && nested.data.image_processor !== undefined ? nested.data.image_processor : json;
  const parsed = configSchema.safeParse(record);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = issue?.path.join('.') || 'the whole record';
    throw new UserError(
      `the image processor's configuration is not valid at ${key} (${issue?.message ?? 'unknown'}); ` +
        'correct preprocessor_config.json (or processor_config.json)',
    );
  }
  const { size, ...config } = parsed.data;
  const minPixels = config.min_pixels ?? size?.shortest_edge ?? size?.min_pixels ?? DEFAULT_MIN_PIXELS;
  const maxPixels = config.max_pixels ?? size?.longest_edge ?? size?.max_pixels ?? DEFAULT_MAX_PIXELS;
  refuseGrowth(minPixels);
  if (minPixels > maxPixels) {
    throw new UserError(
      `the image processor's lower limit of ${minPixels} pixels is above its upper limit of ${maxPixels}; ` +
        'correct preprocessor_config.json (or processor_config.json)',
    );
  }
  return {
    doResize: config.do_resize,
    doRescale: config.do_rescale,
    doNormalize: config.do_normalize,
    minPixels,
    maxPixels,
    rescaleFactor: config.rescale_factor,
    imageMean: config.image_mean,
    imageStd: config.image_std,
    patchSize: config.patch_size,
    temporalPatchSize: config.temporal_patch_size,
    mergeSize: config.merge_size,
  };
}

/** transformers' `Qwen2VLImageProcessor` for single images, equal to it bit for bit. */
export class ImageProcessor {
  readonly config: ImageProcessorConfig;
  /** What each of the 256 bytes becomes in each channel: [channel, byte]. */
  readonly #values: Float32Array;
  /** One image under several policies is cut once, and known as the same when the batch is computed. */
  readonly #done = new WeakMap<RgbImage, ProcessedImage>();

  constructor(config: ImageProcessorConfig) {
    this.config = config;
    this.#values = valueTable(config);
  }

  /** The same with other bounds of height × width; a lower bound above the upper one is lowered to it if it was not given. */
  withLimits({
    minPixels,
    maxPixels,
  }: Partial<Pick<ImageProcessorConfig, 'minPixels' | 'maxPixels'>>): ImageProcessor {
    const most = maxPixels ?? this.config.maxPixels;
    const least = minPixels ?? Math.min(this.config.minPixels, most);
    if (!(Number.isInteger(least) && Number.isInteger(most) && least >= 1 && least <= most)) {
      throw new UserError(
        `images cannot have at least ${least} and at most ${most} pixels; give whole numbers from 1, the lower one first`,
      );
    }
    refuseGrowth(least);
    return new ImageProcessor({ ...this.config, minPixels: least, maxPixels: most });
  }

  /** Height and width in pixels that an image of `height` x `width` is resized to; UserError as for `smartResize`. */
  resizedSize(height: number, width: number): readonly [height: number, width: number] {
    const { doResize, minPixels, maxPixels, patchSize, mergeSize } = this.config;
    const factor = patchSize * mergeSize;
    if (doResize) return smartResize(height, width, { factor, minPixels, maxPixels });
    if (height % factor !== 0 || width % factor !== 0) {
      throw new UserError(
        `an image of ${width} x ${height} pixels cannot be cut into blocks of ${factor} x ${factor} while do_resize ` +
          'is false; resize it, or set do_resize to true in preprocessor_config.json',
      );
    }
    return [height, width];
  }

  /**
   * Resizes, rescales, normalizes and cuts one image. A still image is repeated to fill the temporal patch.
   * The same pixels object gives the same result object, so pixels must not be changed afterwards.
   * @throws UserError for an aspect ratio above 200.
   */
  preprocess(image: RgbImage): ProcessedImage {
    const known = this.#done.get(image);
    if (known !== undefined) return known;
    const [height, width] = this.resizedSize(image.height, image.width);
    const processed = this.#patches([resizeBicubic(image, width, height)]);
    this.#done.set(image, processed);
    return processed;
  }

  /**
   * The same for a video: as many frames as fill a patch in time make one, and the last frame is repeated to fill up.
   * Frames are resized as Pillow does it; torchvision's own resize, which transformers uses, differs by a level at most.
   * @throws UserError for no frames, frames of different sizes, a frame rate that is not positive, and as `preprocess`.
   */
  preprocessVideo({ frames, fps = DEFAULT_FPS }: Video): ProcessedImage {
    const [first] = frames;
    if (first === undefined) throw new UserError('a video has no frames; give at least one image');
    const other = frames.find((frame) => frame.width !== first.width || frame.height !== first.height);
    if (other !== undefined) {
      throw new UserError(
        `a video has frames of ${first.width} x ${first.height} and of ${other.width} x ${other.height} pixels; give them one size`,
      );
    }
    if (!(fps > 0 && fps < Infinity)) {
      throw new UserError(`a video has ${fps} frames a second; give a number above 0`);
    }
    const [height, width] = this.resizedSize(first.height, first.width);
    const resized = frames.map((frame) => resizeBicubic(frame, width, height));
    return { ...this.#patches(resized), secondsPerGrid: this.config.temporalPatchSize / fps };
  }

  /** Frames of one size; the last one is repeated until they fill the patches in time. */
  #patches(frames: readonly RgbImage[]): ProcessedImage {
    const { patchSize, temporalPatchSize, mergeSize } = this.config;
    const [{ width, height }] = frames;
    const [rows, columns] = [height / patchSize, width / patchSize];
    const times = Math.ceil(frames.length / temporalPatchSize);
    const plane = patchSize * patchSize;
    const pixelValues = new Float32Array(times * rows * columns * CHANNELS * temporalPatchSize * plane);
    const order = [...mergeOrder(rows, columns, mergeSize)];
    let to = 0;
    for (let time = 0; time < times; time++) {
      for (const [row, column] of order) {
        const corner = (row * patchSize * width + column * patchSize) * CHANNELS;
        for (let channel = 0; channel < CHANNELS; channel++) {
          for (let i = 0; i < temporalPatchSize; i++, to += plane) {
            const frame = time * temporalPatchSize + i;
            if (i > 0 && frame >= frames.length) {
              pixelValues.copyWithin(to, to - plane, to);
              continue;
            }
            this.#writePlane(pixelValues, to, frames[frame], corner + channel, channel);
          }
        }
      }
    }
    return { pixelValues, grid: [times, rows, columns] };
  }

  /** One channel of one patch, whose first byte is at `from`. */
  #writePlane(
    values: Float32Array,
    to: number,
    { width, data }: RgbImage,
    from: number,
    channel: number,
  ): void {
    const { patchSize } = this.config;
    for (let y = 0; y < patchSize; y++) {
      let at = from + y * width * CHANNELS;
      for (let x = 0; x < patchSize; x++, at += CHANNELS) {
        values[to++] = this.#values[channel * 256 + (data[at] ?? 0)] ?? 0;
      }
    }
  }
}

/** The patches' rows and columns in merge blocks: blocks in reading order, in each block its patches in reading order. */
function* mergeOrder(rows: number, columns: number, merge: number): Generator<readonly [number, number]> {
  for (let top = 0; top < rows; top += merge) {
    for (let left = 0; left < columns; left += merge) {
      for (let row = top; row < top + merge; row++) {
        for (let column = left; column < left + merge; column++) yield [row, column];
      }
    }
  }
}

/** NumPy's arithmetic: the byte is scaled in double precision, then rounded to float32 before and after each step. */
function valueTable(config: ImageProcessorConfig): Float32Array {
  const table = new Float32Array(CHANNELS * 256);
  config.imageMean.forEach((mean, channel) => {
    const std = Math.fround(config.imageStd[channel] ?? 1);
    for (let byte = 0; byte < 256; byte++) {
      const scaled = Math.fround(config.doRescale ? byte * config.rescaleFactor : byte);
      table[channel * 256 + byte] = config.doNormalize
        ? Math.fround(scaled - Math.fround(mean)) / std
        : scaled;
    }
  });
  return table;
}
