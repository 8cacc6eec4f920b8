/** @module The one way in for pictures: paths, URLs, data URIs, bytes, blobs, streams, pixels. */
import { fileURLToPath } from 'node:url';
import { type FetchOptions, fetchGuarded } from '../net/fetch-guarded.js';
import { messageOf, UserError } from '../util/errors.js';
import { bytesOfDataUri, isDataUri, shortDataUri } from './data-uri.js';
import { BYTES_SUBJECT, checkLength, imageSubject, readImageFile } from './decode.js';
import type { RgbImage } from './image.js';

/**
 * A picture as programs have it: the path of a file; an http(s), `file:` or `data:` URL as a string or a `URL`; the bytes
 * of an image file as `Uint8Array` (a `Buffer` is one), `ArrayBuffer`, `Blob`, `File`, or as a stream or async iterable of
 * chunks, which is read once; or RGB pixels.
 */
export type ImageSource =
  | string
  | URL
  | Uint8Array
  | Uint8ClampedArray
  | DataView
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | RgbImage;

/** What a source holds: the bytes of a file and how messages call it, or pixels. */
export type ReadSource =
  | { readonly bytes: Uint8Array; readonly subject: string }
  | { readonly pixels: RgbImage };

/**
 * Reads a source; URLs are fetched as {@link fetchGuarded} does it.
 * @throws UserError for what cannot be read, naming what was given; what ends the signal is thrown as its reason.
 */
export async function readSource(
  source: unknown,
  options: FetchOptions = {},
  signal?: AbortSignal,
): Promise<ReadSource> {
  signal?.throwIfAborted();
  if (typeof source === 'string') return readText(source, options, signal);
  if (source instanceof URL) return readText(source.href, options, signal);
  const bytes = bytesIn(source);
  if (bytes !== undefined) return { bytes, subject: BYTES_SUBJECT };
  if (source instanceof Blob) {
    const subject = 'name' in source ? imageSubject(String(source.name)) : 'the image in the given Blob';
    checkLength(source.size, subject);
    return { bytes: new Uint8Array(await source.arrayBuffer()), subject };
  }
  if (isPixels(source)) return { pixels: checkedPixels(source) };
  if (isChunked(source)) {
    const subject = 'the image in the given stream';
    return { bytes: await readChunks(source, subject, signal), subject };
  }
  throw new UserError(
    `an image cannot be ${described(source)}; give a path, a URL, the bytes of an image file, a Blob, a stream, or { width, height, data } as RGB`,
    { code: 'invalid_image' },
  );
}

async function readText(text: string, options: FetchOptions, signal?: AbortSignal): Promise<ReadSource> {
  if (isDataUri(text)) {
    return { bytes: bytesOfDataUri(text), subject: `the image in ${shortDataUri(text)}` };
  }
  if (/^https?:/iu.test(text)) {
    const { bytes } = await fetchGuarded(text, signal === undefined ? options : { ...options, signal });
    return { bytes, subject: imageSubject(text) };
  }
  const path = /^file:/iu.test(text) ? pathOf(text) : text;
  return { bytes: await readImageFile(path, imageSubject(path), signal), subject: imageSubject(path) };
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new UserError(`${url} is no file URL of this machine (${messageOf(error)}); give the path`);
  }
}

/** The bytes of what holds them at once; wider numbers are no bytes. */
function bytesIn(source: unknown): Uint8Array | undefined {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Uint8ClampedArray || source instanceof DataView) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  return undefined;
}

type Chunked = AsyncIterable<unknown>;

const isChunked = (source: unknown): source is Chunked =>
  typeof source === 'object' && source !== null && Symbol.asyncIterator in source;

/** All chunks of a stream, up to the size that a file may have. */
export async function readChunks(
  stream: Chunked,
  subject: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let aborted: (() => void) | undefined;
  const abort = new Promise<never>((_, reject) => {
    aborted = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', aborted, { once: true });
  });
  abort.catch(() => undefined);
  let done = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), abort]);
      if (next.done === true) break;
      const chunk = bytesIn(next.value);
      if (chunk === undefined) {
        throw new UserError(`${subject} gives ${described(next.value)} where bytes are expected`, {
          code: 'invalid_image',
        });
      }
      length += chunk.length;
      checkLength(length, subject);
      chunks.push(chunk);
    }
    done = true;
  } finally {
    if (aborted) signal?.removeEventListener('abort', aborted);
    // What is left unread is given up; a stream that does not answer is not waited for.
    if (!done) iterator.return?.()?.then(undefined, () => undefined);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length);
}

function isPixels(source: unknown): source is RgbImage {
  return typeof source === 'object' && source !== null && 'width' in source && 'height' in source;
}

function checkedPixels(image: RgbImage): RgbImage {
  const { width, height } = image;
  const data: unknown = image.data;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new UserError(
      `the image is ${String(width)}×${String(height)}; width and height must be whole numbers from 1`,
      { code: 'invalid_image' },
    );
  }
  const bytes = bytesIn(data);
  const wanted = 3 * width * height;
  if (bytes === undefined || bytes.length !== wanted) {
    const rgba = bytes?.length === 4 * width * height ? ', which is RGBA: leave the alpha out' : '';
    const given = bytes === undefined ? `${described(data)} was` : `${bytes.length} were`;
    throw new UserError(
      `an image of ${width}×${height} has ${wanted} bytes of RGB, and ${given} given${rgba}`,
      { code: 'invalid_image' },
    );
  }
  return data instanceof Uint8Array ? image : { width, height, data: bytes };
}

/** What a value is, in a few words. */
function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (value instanceof Promise) return 'a promise (await it first)';
  if (value instanceof Response) return 'a Response (give await response.blob())';
  if (Array.isArray(value)) return 'a list within a list';
  const { constructor } = value;
  const name = typeof constructor === 'function' && constructor !== Object ? constructor.name : '';
  if (name !== '') return `a ${name}`;
  const keys = Object.keys(value).slice(0, 5).join(', ');
  return keys === '' ? 'an empty object' : `an object with ${keys}`;
}
