/** @module Completions kept on disk with their pictures, up to the step that a checkpoint holds. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFailure } from '../../checkpoint/files.js';
import type { RgbImage } from '../../images/image.js';
import { encodePng } from '../../images/png.js';
import { appendLines, trimLines } from '../run-folder.js';
import { type CompletionRecord, IMAGES_FOLDER } from './records.js';

/** Hexadecimal digits of a picture's name: 128 bits never meet by chance. */
const NAME_DIGITS = 32;

export class CompletionLog {
  private readonly path: string;
  private readonly written = new WeakMap<RgbImage, string>();

  /** Writes `file` of a run's folder. */
  constructor(
    private readonly folder: string,
    file: string,
  ) {
    this.path = join(folder, file);
  }

  /** Drops lines of steps after `step`, which will be written again. */
  trim(step: number): void {
    trimLines(this.path, step);
  }

  /** @throws UserError where the disk refuses. */
  append(records: readonly CompletionRecord[]): void {
    appendLines(this.path, records);
  }

  /** Writes pictures that are not there yet and gives their paths relative to the run's folder. */
  async images(images: readonly RgbImage[]): Promise<string[]> {
    const paths: string[] = [];
    for (const image of images) paths.push(this.written.get(image) ?? (await this.write(image)));
    return paths;
  }

  private async write(image: RgbImage): Promise<string> {
    const { width, height, data } = image;
    const hash = createHash('sha256').update(`${width}x${height}`).update(data).digest('hex');
    const relative = `${IMAGES_FOLDER}/${hash.slice(0, NAME_DIGITS)}.png`;
    const path = join(this.folder, relative);
    try {
      mkdirSync(join(this.folder, IMAGES_FOLDER), { recursive: true });
      if (!existsSync(path)) writeFileSync(path, await encodePng(image));
    } catch (error) {
      throw writeFailure(path, error);
    }
    this.written.set(image, relative);
    return relative;
  }
}
