/** @module The card's `process_vision_info` (QwenLM/Qwen2.5-VL:qwen-vl-utils vision_process.py). */
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { resizeBicubic } from '../images/resize.js';
import { readSource } from '../images/source.js';
import type { Video } from '../models/qwen2_5_vl/image-processing.js';
import { type SmartResizeLimits, smartResizeQwenVlUtils } from '../models/qwen2_5_vl/smart-resize.js';
import type { FetchOptions } from '../net/fetch-guarded.js';
import { UserError } from '../util/errors.js';

/**
 * A message as the card writes it. An image part's `image` (or `image_url`) is anything that
 * `ImageSource` names: a path, URL, data URI, bytes, a Blob, a stream or pixels; a video part's `video` is a list of such frames, its `sample_fps` says how many a second.
 * `min_pixels`, `max_pixels`, `resized_height` and `resized_width` of a part set its size.
 */
export interface VisionMessage {
  readonly role: string;
  readonly content: string | readonly Readonly<Record<string, unknown>>[];
}

/** Limits in tokens of 28 × 28 pixels, by kind (qwen_vl_utils' IMAGE_… and VIDEO_…_TOKEN_NUM). */
const FACTOR = 28;
const FRAME_SIZE_FACTOR = 2 * FACTOR;
const TOKENS = { image: { least: 4, most: 16384 }, video: { least: 128, most: 768 } } as const;
/** All frames of a video share 90 % of this many tokens (MODEL_SEQ_LEN). */
const VIDEO_TOKENS = 128_000 * 0.9;
/** Frames come in pairs (FRAME_FACTOR): one patch in time. */
const FRAME_FACTOR = 2;
/** What a least limit above the most becomes. */
const HEADROOM = 1.05;

type Part = Readonly<Record<string, unknown>>;

/**
 * All images and all videos of one conversation or several, in order, resized as qwen_vl_utils does; null where there
 * are none of a kind. URLs are fetched as {@link fetchGuarded} does it.
 * @throws UserError for a part that cannot be read.
 */
export async function process_vision_info(
  conversations: readonly VisionMessage[] | readonly (readonly VisionMessage[])[],
  options: FetchOptions = {},
): Promise<[images: RgbImage[] | null, videos: Video[] | null]> {
  const images: RgbImage[] = [];
  const videos: Video[] = [];
  for (const { content } of (conversations as readonly VisionMessage[]).flat()) {
    for (const part of typeof content === 'string' ? [] : content) {
      if ('image' in part || 'image_url' in part) images.push(await readImage(part, options));
      else if ('video' in part) videos.push(await readVideo(part, options));
      else if (part.type === 'image' || part.type === 'image_url' || part.type === 'video') {
        throw new UserError(
          `a part of the type ${part.type} has neither image, image_url nor video; give one`,
        );
      }
    }
  }
  return [images.length === 0 ? null : images, videos.length === 0 ? null : videos];
}

async function readImage(part: Part, options: FetchOptions): Promise<RgbImage> {
  return resized(await load(part.image ?? part.image_url, options), part, imageLimits(part, FACTOR));
}

async function readVideo(part: Part, options: FetchOptions): Promise<Video> {
  const { video, ...settings } = part;
  if (!Array.isArray(video)) {
    throw new UserError('video files are not decoded here; give the video as a list of its frames');
  }
  if (video.length === 0) throw new UserError('a video has no frames; give at least one image');
  const frames: RgbImage[] = [];
  for (const frame of video as readonly unknown[]) {
    const image = await load(frame, options);
    // qwen_vl_utils hands its factor on as a patch size here, and the factor of each frame is twice as large.
    frames.push(resized(image, settings, imageLimits(settings, FRAME_SIZE_FACTOR)));
  }
  const count = Math.ceil(frames.length / FRAME_FACTOR) * FRAME_FACTOR;
  while (frames.length < count) frames.push(frames[frames.length - 1]);
  const least = numberOf(part, 'min_pixels') ?? TOKENS.video.least * FACTOR ** 2;
  const total = numberOf(part, 'total_pixels') ?? VIDEO_TOKENS * FACTOR ** 2;
  const most = Math.max(
    Math.min(TOKENS.video.most * FACTOR ** 2, (total / count) * FRAME_FACTOR),
    Math.trunc(least * HEADROOM),
  );
  const asked = numberOf(part, 'max_pixels');
  const limits: SmartResizeLimits = {
    factor: FACTOR,
    minPixels: least,
    maxPixels: asked === undefined ? most : Math.min(asked, most),
  };
  const fps = numberOf(part, 'sample_fps');
  return {
    frames: frames.map((frame) => resized(frame, part, limits)),
    ...(fps === undefined ? {} : { fps }),
  };
}

function imageLimits(part: Part, factor: number): SmartResizeLimits {
  return {
    factor,
    minPixels: numberOf(part, 'min_pixels') ?? TOKENS.image.least * factor ** 2,
    maxPixels: numberOf(part, 'max_pixels') ?? TOKENS.image.most * factor ** 2,
  };
}

function resized(image: RgbImage, part: Part, limits: SmartResizeLimits): RgbImage {
  const [askedHeight, askedWidth] = [numberOf(part, 'resized_height'), numberOf(part, 'resized_width')];
  const asked = {
    factor: limits.factor,
    minPixels: TOKENS.image.least * FACTOR ** 2,
    maxPixels: TOKENS.image.most * FACTOR ** 2,
  };
  const [height, width] =
    askedHeight !== undefined && askedWidth !== undefined
      ? smartResizeQwenVlUtils(askedHeight, askedWidth, asked)
      : smartResizeQwenVlUtils(image.height, image.width, limits);
  return resizeBicubic(image, width, height);
}

function numberOf(part: Part, name: string): number | undefined {
  const value = part[name];
  if (value === undefined || (typeof value === 'number' && value > 0 && value < Infinity)) return value;
  throw new UserError(`${name} of an image or video must be a number above 0`);
}

async function load(source: unknown, options: FetchOptions): Promise<RgbImage> {
  const read = await readSource(source, options);
  return 'pixels' in read ? read.pixels : await decodeImage(read.bytes, { subject: read.subject });
}
