import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../../checkpoint/safetensors.js';
import { decodeImage } from '../../images/decode.js';
import { UserError } from '../../util/errors.js';
import { ImageProcessor, parseImageProcessorConfig } from './image-processing.js';

const GOLDENS = 'test/goldens';
const json = (path: string): unknown => JSON.parse(readFileSync(`${GOLDENS}/${path}`, 'utf8'));
const config = parseImageProcessorConfig({ min_pixels: 3136, max_pixels: 50176 });
const plain = (width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(3 * width * height),
});

describe('ImageProcessor', () => {
  it('gives the pixel values of transformers, bit for bit', async () => {
    const file = SafetensorsFile.open(`${GOLDENS}/images/rgb-28x28.png.safetensors`);
    const image = await decodeImage(`${GOLDENS}/images/rgb-28x28.png`);
    const { pixelValues, grid } = new ImageProcessor(config).preprocess(image);
    expect(grid).toEqual(file.readIntegers('image_grid_thw'));
    expect(pixelValues).toEqual(file.readFloat32('pixel_values'));
    file.close();
  });

  const listed: { file: string; grid_thw: number[]; pixel_mean: number }[] = JSON.parse(
    readFileSync(`${GOLDENS}/images/images.json`, 'utf8'),
  );
  it.each(listed)('gives the grid and the mean of $file', async ({ file, grid_thw, pixel_mean }) => {
    const { pixelValues, grid } = new ImageProcessor(config).preprocess(
      await decodeImage(`${GOLDENS}/images/${file}`),
    );
    expect(grid).toEqual(grid_thw);
    expect(pixelValues.reduce((sum, value) => sum + value, 0) / pixelValues.length).toBeCloseTo(
      pixel_mean,
      5,
    );
  });

  it('puts patches in merge blocks and a patch in the order channel, frame, row, column', () => {
    const tiny = new ImageProcessor({
      ...config,
      patchSize: 1,
      mergeSize: 2,
      minPixels: 1,
      doRescale: false,
      doNormalize: false,
    });
    // Pixel i holds (i, 100 + i, 200 + i).
    const data = Uint8Array.from({ length: 24 }, (_, i) => Math.floor(i / 3) + 100 * (i % 3));
    const { pixelValues, grid } = tiny.preprocess({ width: 4, height: 2, data });
    expect(grid).toEqual([1, 2, 4]);
    const order = [0, 1, 4, 5, 2, 3, 6, 7];
    expect([...pixelValues]).toEqual(order.flatMap((i) => [i, i, 100 + i, 100 + i, 200 + i, 200 + i]));
  });

  it('enlarges an image of one pixel to the lower limit', () => {
    expect(new ImageProcessor(config).preprocess(plain(1, 1)).grid).toEqual([1, 4, 4]);
  });

  it('refuses an image of 20000 x 10 pixels', () => {
    expect(() => new ImageProcessor(config).preprocess(plain(20_000, 10))).toThrow(
      /^an image of 20000 x 10 pixels is too long and thin: .* crop it or cut it into pieces$/,
    );
  });

  it('refuses a size that cannot be cut while resizing is off', () => {
    const fixed = new ImageProcessor({ ...config, doResize: false });
    expect(fixed.preprocess(plain(56, 28)).grid).toEqual([1, 2, 4]);
    expect(() => fixed.preprocess(plain(56, 30))).toThrow(
      'an image of 56 x 30 pixels cannot be cut into blocks of 28 x 28 while do_resize is false',
    );
  });
});

describe('parseImageProcessorConfig', () => {
  it('reads the flat and the nested file alike', () => {
    const flat = parseImageProcessorConfig(json('checkpoints/tied/preprocessor_config.json'));
    const nested = parseImageProcessorConfig(json('checkpoints/tied-resaved/processor_config.json'));
    expect(flat).toMatchObject({
      minPixels: 3136,
      maxPixels: 112896,
      patchSize: 14,
      mergeSize: 2,
      temporalPatchSize: 2,
    });
    expect(nested).toEqual(flat);
  });

  it.each([
    { size: { shortest_edge: 100, longest_edge: 200 } },
    { size: { min_pixels: 100, max_pixels: 200 } },
    { min_pixels: 100, max_pixels: 200, size: { shortest_edge: 1, longest_edge: 2 } },
  ])('takes the limits from %j', (record) => {
    expect(parseImageProcessorConfig(record)).toMatchObject({ minPixels: 100, maxPixels: 200 });
  });

  it("takes transformers' defaults for what is left out", () => {
    expect(parseImageProcessorConfig({})).toMatchObject({
      minPixels: 3136,
      maxPixels: 1003520,
      rescaleFactor: 1 / 255,
    });
  });

  it.each([
    { record: null, message: /not valid at the whole record/ },
    { record: [], message: /not valid at the whole record/ },
    { record: { image_processor: 'x' }, message: /not valid at the whole record/ },
    { record: { patch_size: 0 }, message: /not valid at patch_size/ },
    { record: { patch_size: '14' }, message: /not valid at patch_size/ },
    { record: { merge_size: 1e9 }, message: /not valid at merge_size/ },
    { record: { image_std: [0, 1, 1] }, message: /not valid at image_std.0/ },
    { record: { image_mean: [0, 1] }, message: /not valid at image_mean/ },
    { record: { resample: 2 }, message: /not valid at resample/ },
    { record: { size: { longest_edge: -5 } }, message: /not valid at size.longest_edge/ },
    { record: { min_pixels: 1e9, max_pixels: 2e9 }, message: /to 1000000000 pixels at least/ },
    { record: { size: { shortest_edge: 1e9, longest_edge: 2e9 } }, message: /to 1000000000 pixels at least/ },
    {
      record: { min_pixels: 10, max_pixels: 5 },
      message: /lower limit of 10 pixels is above its upper limit of 5/,
    },
  ])('refuses $record', ({ record, message }) => {
    expect(() => parseImageProcessorConfig(record)).toThrow(UserError);
    expect(() => parseImageProcessorConfig(record)).toThrow(message);
  });
});
