import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js';
import { decodeImage } from '../../src/images/decode.js';
import {
  ImageProcessor,
  type ProcessedImage,
  parseImageProcessorConfig,
} from '../../src/models/qwen2_5_vl/image-processing.js';
import { smartResize, smartResizeQwenVlUtils } from '../../src/models/qwen2_5_vl/smart-resize.js';
import { messageOf, UserError } from '../../src/util/errors.js';
import { resizeBicubic } from '../../src/images/resize.js';

interface Outcome {
  readonly path: string;
  readonly part?: string;
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
  readonly note?: string;
}

const imageList = z.array(
  z.object({
    file: z.string(),
    width: z.int(),
    height: z.int(),
    grid_thw: z.tuple([z.int(), z.int(), z.int()]),
    exact_decode: z.boolean(),
    pixel_mean: z.number(),
    pixel_std: z.number(),
  }),
);
type Listed = z.infer<typeof imageList>[number];

/** Mean |difference| in levels of 8 bits: of lossless files, and of those that decoders read differently. */
const LOSSLESS_LEVELS = 0.5;
const LOSSY_LEVELS = 1.5;
const EXACT = 0;
/** The limits that images.json was made with. */
const CONFIG = parseImageProcessorConfig({ min_pixels: 3136, max_pixels: 50176 });
/** Levels in one unit of the normalized pixel values, by the widest channel. */
const LEVELS_PER_UNIT = 255 * Math.max(...CONFIG.imageStd);

const outcome = (path: string, part: string | undefined, error: number, tolerance: number): Outcome => ({
  path,
  ...(part === undefined ? {} : { part }),
  error,
  tolerance,
  // Written so that NaN is not ok.
  ok: error <= tolerance,
});

function meanDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
  return sum / a.length;
}

const largestDifference = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? NaN)))) : Infinity;

function meanAndStd(values: Float32Array): readonly [mean: number, std: number] {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  // torch.std corrects for the estimated mean: n - 1.
  return [mean, Math.sqrt(squares / (values.length - 1))];
}

/** One image: decoded, measured, resized and cut, each compared with what Python made of it. */
async function* checkImage(folder: string, listed: Listed): AsyncGenerator<Outcome> {
  const path = `images/${listed.file}`;
  const levels = listed.exact_decode ? LOSSLESS_LEVELS : LOSSY_LEVELS;
  const image = await decodeImage(join(folder, listed.file));
  const size = [listed.width, listed.height];
  yield outcome(path, 'size', largestDifference([image.width, image.height], size), EXACT);

  const processor = new ImageProcessor(CONFIG);
  const processed = processor.preprocess(image);
  yield outcome(path, 'grid', largestDifference(processed.grid, listed.grid_thw), EXACT);
  const [mean, std] = meanAndStd(processed.pixelValues);
  yield outcome(path, 'mean', Math.abs(mean - listed.pixel_mean) * LEVELS_PER_UNIT, levels);
  yield outcome(path, 'std', Math.abs(std - listed.pixel_std) * LEVELS_PER_UNIT, levels);

  const resizedPath = join(folder, 'resized', `${listed.file}.png`);
  if (existsSync(resizedPath)) {
    const golden = await decodeImage(resizedPath);
    const [height, width] = processor.resizedSize(image.height, image.width);
    const resized = resizeBicubic(image, width, height);
    const sameSize = golden.width === width && golden.height === height;
    const error = sameSize ? meanDifference(resized.data, golden.data) : Infinity;
    yield outcome(`images/resized/${listed.file}.png`, undefined, error, levels);
  }
  const tensorsPath = join(folder, `${listed.file}.safetensors`);
  if (existsSync(tensorsPath)) yield* checkTensors(tensorsPath, `${path}.safetensors`, processed, levels);
}

function* checkTensors(
  file: string,
  path: string,
  { grid, pixelValues }: ProcessedImage,
  levels: number,
): Generator<Outcome> {
  const tensors = SafetensorsFile.open(file);
  try {
    const golden = tensors.readFloat32('pixel_values');
    const rows = tensors.tensors.get('pixel_values')?.shape[0] ?? 0;
    const patches = grid[0] * grid[1] * grid[2];
    const error = rows === patches ? meanDifference(pixelValues, golden) * LEVELS_PER_UNIT : Infinity;
    yield outcome(path, 'pixel_values', error, levels);
    const goldenGrid = tensors.readIntegers('image_grid_thw');
    yield outcome(path, 'image_grid_thw', largestDifference(grid, goldenGrid), EXACT);
  } finally {
    tensors.close();
  }
}

/** Counts the rows of a table (a heading, then numbers) where `resize` of the first cells is not the last two. */
function checkTable(
  dir: string,
  name: string,
  resize: (...sizes: number[]) => readonly [number, number],
): Outcome | undefined {
  const path = join(dir, name);
  if (!existsSync(path)) return undefined;
  const [, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const wrong = lines.filter((line) => {
    const cells = line.split('\t');
    return answer(() => resize(...cells.slice(0, -2).map(Number))) !== cells.slice(-2).join('\t');
  });
  return outcome(name, undefined, lines.length === 0 ? NaN : wrong.length, EXACT);
}

/** A size as the tables write it; `error` twice for one that is refused. */
function answer(resize: () => readonly [number, number]): string {
  try {
    return resize().join('\t');
  } catch (error) {
    if (error instanceof UserError) return 'error\terror';
    throw error;
  }
}

const FACTOR = CONFIG.patchSize * CONFIG.mergeSize;

/** The image processor against Pillow and transformers: `images/` and both `smart-resize*.tsv` below `dir`. */
export const check = {
  name: 'images',
  async *run(dir: string): AsyncGenerator<Outcome> {
    const folder = join(dir, 'images');
    const list = join(folder, 'images.json');
    if (existsSync(list)) {
      for (const listed of imageList.parse(JSON.parse(readFileSync(list, 'utf8')))) {
        try {
          yield* checkImage(folder, listed);
        } catch (error) {
          yield { ...outcome(`images/${listed.file}`, undefined, NaN, EXACT), note: messageOf(error) };
        }
      }
    }
    const tables = [
      checkTable(dir, 'smart-resize.tsv', (height = 0, width = 0, minPixels = 0, maxPixels = 0) =>
        smartResize(height, width, { factor: FACTOR, minPixels, maxPixels }),
      ),
      checkTable(dir, 'smart-resize-qwen-vl-utils.tsv', (height = 0, width = 0) =>
        smartResizeQwenVlUtils(height, width),
      ),
    ];
    for (const table of tables) if (table !== undefined) yield table;
  },
};
