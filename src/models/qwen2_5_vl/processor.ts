import { readJsonObject } from '../../checkpoint/json.js';
import type { ContentPart, Message } from './chat.js';
import { ImageProcessor, type ProcessedImage, parseImageProcessorConfig } from './image-processing.js';
import { Tokenizer } from './tokenizer.js';
import { join } from 'node:path';

export interface EncodedPrompt {
  readonly inputIds: number[];
  readonly images: readonly ProcessedImage[];
}

/** Interim. */
export class Processor {
  constructor(
    readonly tokenizer: Tokenizer,
    readonly imageProcessor: ImageProcessor,
    readonly padId: number,
  ) {}

  static async load(folder: string): Promise<Processor> {
    const tokenizer = await Tokenizer.load(folder);
    const images = new ImageProcessor(parseImageProcessorConfig(readJsonObject(join(folder, 'preprocessor_config.json'))));
    return new Processor(tokenizer, images, tokenizer.id('<|endoftext|>') ?? 0);
  }

  encodeChat(messages: readonly Message[]): EncodedPrompt {
    const images: ProcessedImage[] = [];
    const ids: number[] = [];
    const s = (text: string): void => void ids.push(...this.tokenizer.encode(text));
    s('<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n');
    for (const { role, content } of messages) {
      s(`<|im_start|>${role}\n`);
      const parts: readonly ContentPart[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
      for (const part of parts) {
        if (part.type === 'text') ids.push(...this.tokenizer.encode(part.text, { special: false }));
        else {
          const image = this.imageProcessor.preprocess(part.image);
          images.push(image);
          const [t, h, w] = image.grid;
          s('<|vision_start|>');
          for (let i = 0; i < (t * h * w) / 4; i++) ids.push(this.tokenizer.id('<|image_pad|>') as number);
          s('<|vision_end|>');
        }
      }
      s('<|im_end|>\n');
    }
    s('<|im_start|>assistant\n');
    return { inputIds: ids, images };
  }
}
