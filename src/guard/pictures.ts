/** @module Pictures on their way to a model: read, identified by their content, and made as small as they are shown. */
import type { Engine, EngineImage, Pace } from '../engines/engine.js';
import { decodeImage, measureImage } from '../images/decode.js';
import type { Size } from '../images/frames.js';
import type { RgbImage } from '../images/image.js';
import { resizeBicubic } from '../images/resize.js';
import { type ImageSource, type ReadSource, readSource } from '../images/source.js';
import { smartResize } from '../models/qwen2_5_vl/smart-resize.js';
import type { FetchOptions } from '../net/fetch-guarded.js';
import { UserError } from '../util/errors.js';
import { largestWithin } from './pixel-cap.js';
import type { SeenImage } from './verdict.js';

/** A model that sees this many images at once is given no more: the answer would take hours on a CPU. */
const MAX_IMAGES = 100;
/** Side of a token in pixels: a patch of 14, merged 2 × 2. */
const FACTOR = 28;
/** The least that any published processor shows a model: 4 tokens. */
const LEAST_PIXELS = 4 * FACTOR ** 2;
/**
 * Pictures seen last are kept for the next policy, so many bytes of them: 4 million pixels, of which a model in this
 * process holds some 100 MB as patches.
 */
const KEPT_BYTES = 12_000_000;

/** The pictures of one item as the model is shown them. */
export interface SeenItem {
  readonly images: readonly EngineImage[];
  readonly seen: readonly SeenImage[];
  /** The limit that some of them were cut down to, below what the model takes; null where none was. */
  readonly maxPixels: number | null;
}

export interface PictureOptions {
  readonly maxPixels?: number | undefined;
  readonly fetch?: FetchOptions | undefined;
}

/** One picture in hand. */
interface Loaded {
  readonly image: EngineImage;
  readonly seen: SeenImage;
  readonly cut: boolean;
  /** What it takes in memory. */
  readonly bytes: number;
}

/** What was read of a source. */
type ReadFile = Extract<ReadSource, { readonly bytes: Uint8Array }> & { readonly sha256: string };
type Read = ReadFile | Exclude<ReadSource, { readonly bytes: Uint8Array }>;

/** Reads of one run, so that a source that stands in several items, a stream too, is read once while they are near. */
export type Reads = Map<unknown, Promise<Read>>;

/**
 * Reads pictures for an engine. The same content gives the same object while it is among the last that were seen, by
 * which the engine knows it again, whichever item, policy or call it comes from.
 */
export class Pictures {
  readonly #recent = new Recent<Promise<Loaded>>(KEPT_BYTES);

  constructor(
    private readonly engine: Engine,
    private readonly options: PictureOptions,
  ) {}

  /** Reads the pictures of one item and makes them small enough. @throws UserError for what cannot be read. */
  async item(
    sources: ImageSource | readonly ImageSource[],
    newTokens: number,
    { signal, reads = new Map() }: { readonly signal?: AbortSignal | undefined; readonly reads?: Reads } = {},
  ): Promise<SeenItem> {
    const list: readonly ImageSource[] = isList(sources) ? sources : [sources];
    if (list.length === 0) throw new UserError('there is no image to judge; give at least one');
    if (list.length > MAX_IMAGES) {
      throw new UserError(`${list.length} images are too many for one item; give at most ${MAX_IMAGES}`, {
        code: 'too_many',
      });
    }
    const files = await Promise.all(list.map((source) => this.#read(source, reads, signal)));
    const cap = this.options.maxPixels ?? (await this.#cap(files, newTokens, signal));
    const loaded = await Promise.all(files.map((file) => this.#load(file, cap, signal)));
    return {
      images: loaded.map(({ image }) => image),
      seen: loaded.map(({ seen }) => seen),
      maxPixels: loaded.some(({ cut }) => cut) ? cap : null,
    };
  }

  #read(source: ImageSource, reads: Reads, signal?: AbortSignal): Promise<Read> {
    const known = reads.get(source);
    if (known !== undefined) return known;
    const read = readSource(source, this.options.fetch, signal).then(async (file) =>
      'bytes' in file ? { ...file, sha256: await sha256Of(file.bytes) } : file,
    );
    reads.set(source, read);
    return read;
  }

  /** What keeps the item's verdict within a minute; null where that is no matter. */
  async #cap(files: readonly Read[], newTokens: number, signal?: AbortSignal): Promise<number | null> {
    const pace: (() => Promise<Pace>) | undefined = this.engine.pace?.bind(this.engine);
    if (pace === undefined) return null;
    const sizes = await Promise.all(
      files.map(async (file) => {
        if ('pixels' in file) return file.pixels;
        return measureImage(file.bytes, { subject: file.subject, ...(signal && { signal }) });
      }),
    );
    return largestWithin(
      sizes.map((size) => this.engine.imageSize?.(size) ?? size),
      newTokens,
      pace,
    );
  }

  async #load(file: Read, cap: number | null, signal?: AbortSignal): Promise<Loaded> {
    if ('pixels' in file) return this.#loadPixels(file.pixels, cap);
    const key = `${file.sha256} at ${cap}`;
    const known = this.#recent.get(key);
    // Whoever began it may have given up; that is no reason for others to.
    if (known !== undefined) return known.catch(() => this.#loadFile(file, cap, signal));
    const loading = this.#loadFile(file, cap, signal);
    this.#recent.add(key, loading, sizeOf);
    return loading;
  }

  async #loadFile(
    { bytes, subject, sha256 }: ReadFile,
    cap: number | null,
    signal?: AbortSignal,
  ): Promise<Loaded> {
    const decode = (resizeTo?: (size: Size) => Size) =>
      decodeImage(bytes, { subject, ...(resizeTo && { resizeTo }), ...(signal && { signal }) });
    const decoded = await decode((size) => this.#target(size, cap));
    const { original, ...pixels } = decoded;
    const shown = { width: decoded.width, height: decoded.height };
    const changed = shown.width !== original.width || shown.height !== original.height;
    const cut = cap !== null && area(original) > cap && changed;
    if (this.engine.imageSize !== undefined || changed) {
      const seen = { sha256, ...original, shown: this.#shown(shown) };
      return { image: pixels, seen, cut, bytes: pixels.data.length };
    }
    // A whole picture, as has been seen: its file is what a server is sent, and its pixels need not lie here.
    const image = {
      file: bytes,
      pixels: async (): Promise<RgbImage> => await decodeImage(bytes, { subject }),
    };
    return { image, seen: { sha256, ...original, shown: null }, cut: false, bytes: bytes.length };
  }

  async #loadPixels(image: RgbImage, cap: number | null): Promise<Loaded> {
    const original = { width: image.width, height: image.height };
    const target = this.#target(original, cap);
    const changed = target.width !== original.width || target.height !== original.height;
    const pixels = changed ? resizeBicubic(image, target.width, target.height) : image;
    const seen = { sha256: null, ...original, shown: this.#shown(target) };
    const loaded = {
      seen,
      cut: cap !== null && area(original) > cap && changed,
      bytes: pixels.data.length,
    };
    if (loaded.bytes > KEPT_BYTES) return { ...loaded, image: pixels };
    // Known by what they are, not by the object, whose owner may change it: hence the copy.
    const own = changed ? pixels : { ...target, data: pixels.data.slice() };
    const key = `${await sha256Of(own.data)} of ${target.width} × ${target.height}`;
    const known = await this.#recent.get(key);
    if (known !== undefined) return { ...loaded, image: known.image };
    const result = { ...loaded, image: own };
    this.#recent.add(key, Promise.resolve(result), sizeOf);
    return result;
  }

  /** The size at which a picture is shown, so that it is resized once. */
  #target(size: Size, cap: number | null): Size {
    const allowed = cap === null ? size : sizeWithin(size, cap);
    return this.engine.imageSize?.(allowed) ?? allowed;
  }

  /** A server may show its model less than it is sent. */
  #shown(size: Size): Size | null {
    return this.engine.imageSize === undefined ? null : size;
  }
}

const sizeOf = async (loaded: Promise<Loaded>): Promise<number> => (await loaded).bytes;

/** The last values, as many as keep within a weight that is known once they are there. */
class Recent<T> {
  readonly #values = new Map<string, { readonly value: T; weight: number }>();
  #weight = 0;

  constructor(private readonly limit: number) {}

  get(key: string): T | undefined {
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  /** What fails is forgotten. */
  add(key: string, value: T, weigh: (value: T) => Promise<number>): void {
    const entry = { value, weight: 0 };
    this.#values.set(key, entry);
    weigh(value).then(
      (weight) => {
        if (this.#values.get(key) !== entry) return;
        entry.weight = weight;
        this.#weight += weight;
        for (const [oldest, { weight: freed }] of this.#values) {
          if (this.#weight <= this.limit) break;
          this.#values.delete(oldest);
          this.#weight -= freed;
        }
      },
      () => {
        if (this.#values.get(key) === entry) this.#values.delete(key);
      },
    );
  }
}

/** Computed beside the event loop. */
async function sha256Of(bytes: Uint8Array): Promise<string> {
  // Bytes of memory that several threads share are copied: hashing refuses them.
  const own = bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
  return Buffer.from(await crypto.subtle.digest('SHA-256', own)).toString('hex');
}

const area = ({ width, height }: Size): number => width * height;

const isList = (sources: ImageSource | readonly ImageSource[]): sources is readonly ImageSource[] =>
  Array.isArray(sources);

/** The size itself, or a smaller one of at most `maxPixels` as a processor would choose it. */
function sizeWithin(size: Size, maxPixels: number): Size {
  if (area(size) <= maxPixels) return size;
  const limits = { factor: FACTOR, minPixels: Math.min(LEAST_PIXELS, maxPixels), maxPixels };
  const [height, width] = smartResize(size.height, size.width, limits);
  return { width, height };
}

/** The image, or a smaller one of at most `maxPixels`, at the size that the processor itself would choose. */
export function withinPixels(image: RgbImage, maxPixels: number): RgbImage {
  const { width, height } = sizeWithin(image, maxPixels);
  return width === image.width && height === image.height ? image : resizeBicubic(image, width, height);
}

export { type ImageSource } from '../images/source.js';
