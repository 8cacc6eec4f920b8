import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonObject } from '../../checkpoint/json.js';
import type { RgbImage } from '../../images/image.js';
import { UserError } from '../../util/errors.js';
import type { Message } from './chat.js';
import { ChatTemplate, type ChatTemplateOptions, type TemplateMessage, tokenText } from './chat-template.js';
import {
  ImageProcessor,
  type ProcessedImage,
  type ImageProcessorConfig,
  parseImageProcessorConfig,
  type Video,
} from './image-processing.js';
import { ProtectedText } from './protected-text.js';
import { TokenFinder } from './token-finder.js';
import { readOptionalJsonObject, Tokenizer } from './tokenizer.js';

const IMAGE_PAD = '<|image_pad|>';
const VIDEO_PAD = '<|video_pad|>';
const DEFAULT_PAD = '<|endoftext|>';
/** What names a speaker in every published template; anything else could smuggle a special token in. */
const ROLE = /^\w{1,64}$/;

/** A prompt as the model takes it. `inputIds` hold one image or video token for each merged patch of each, in order. */
export interface EncodedPrompt {
  readonly inputIds: number[];
  readonly images: readonly ProcessedImage[];
}

/** From chats and images to a model's inputs: transformers' `Qwen2_5_VLProcessor`. */
export class Processor {
  readonly #protected: ProtectedText;
  readonly #findSpecial: TokenFinder;

  /** `padId` fills up the shorter prompts of a batch. */
  constructor(
    readonly tokenizer: Tokenizer,
    readonly imageProcessor: ImageProcessor,
    readonly chatTemplate: ChatTemplate,
    readonly padId: number,
  ) {
    this.#protected = new ProtectedText(tokenizer.specialTokens.keys(), chatTemplate.source);
    this.#findSpecial = new TokenFinder(tokenizer.specialTokens.keys());
  }

  /**
   * Reads the tokenizer, the image processor and the chat template of a checkpoint folder, old layout or new.
   * @throws UserError that names the file that is missing or damaged.
   */
  static async load(folder: string): Promise<Processor> {
    const tokenizer = await Tokenizer.load(folder);
    const config = readOptionalJsonObject(join(folder, 'tokenizer_config.json')) ?? {};
    const padId = tokenizer.id(tokenText(config.pad_token) ?? DEFAULT_PAD) ?? tokenizer.id(DEFAULT_PAD);
    if (padId === undefined) {
      throw new UserError(
        `the tokenizer in ${folder} has no padding token; name one as pad_token in tokenizer_config.json`,
      );
    }
    return new Processor(
      tokenizer,
      new ImageProcessor(imageSettings(folder)),
      ChatTemplate.load(folder),
      padId,
    );
  }

  /** The same with other bounds of height × width after the resize. @throws UserError for senseless ones. */
  withLimits(limits: { readonly minPixels?: number; readonly maxPixels?: number }): Processor {
    const imageProcessor = this.imageProcessor.withLimits(limits);
    return new Processor(this.tokenizer, imageProcessor, this.chatTemplate, this.padId);
  }

  /** The chat as one text, as transformers renders it: for people and logs. To encode a chat take `encodeChat`. */
  applyChatTemplate(messages: readonly Message[], options: ChatTemplateOptions = {}): string {
    return this.chatTemplate.render(messages.map(withoutPixels), options);
  }

  /**
   * transformers' processor call: special tokens in the text count as such, and each `<|image_pad|>` becomes as many
   * as its image has merged patches, each `<|video_pad|>` as its video. Only for text that is trusted as a whole.
   * @throws UserError where the text has more or fewer places than there are images or videos.
   */
  encodeText(text: string, images: readonly RgbImage[] = [], videos: readonly Video[] = []): EncodedPrompt {
    return this.#withImages(this.tokenizer.encode(text), images, videos);
  }

  /**
   * Renders and encodes a chat. The words of the messages never become special tokens, whatever they are; where they
   * name none, the ids are transformers'.
   * @throws UserError for a role that is no word, and where the template writes another number of images.
   */
  encodeChat(
    messages: readonly Message[],
    options: ChatTemplateOptions = { addGenerationPrompt: true },
  ): EncodedPrompt {
    const rendered = this.chatTemplate.render(
      messages.map((message) => this.#protect(message)),
      options,
    );
    const ids: number[] = [];
    const pieces = this.#findSpecial.split(rendered);
    pieces.forEach((piece, i) => {
      // Special tokens are at the odd places.
      const special = i % 2 === 1 ? this.tokenizer.specialTokens.get(piece) : undefined;
      if (special !== undefined) ids.push(special);
      else
        for (const id of this.tokenizer.encode(this.#protected.restore(piece), { special: false }))
          ids.push(id);
    });
    return this.#withImages(ids, messages.flatMap(imagesOf));
  }

  #protect(message: Message): TemplateMessage {
    if (!ROLE.test(message.role)) {
      throw new UserError(
        `"${message.role}" is no role of a message; roles are words like system, user, assistant`,
      );
    }
    const { role, content } = withoutPixels(message);
    if (typeof content === 'string') return { role, content: this.#protected.protect(content) };
    const safe = content.map((part) =>
      typeof part.text === 'string' ? { ...part, text: this.#protected.protect(part.text) } : part,
    );
    return { role, content: safe };
  }

  #withImages(
    ids: readonly number[],
    images: readonly RgbImage[],
    videos: readonly Video[] = [],
  ): EncodedPrompt {
    const imagesLeft = this.#places(
      ids,
      IMAGE_PAD,
      'image',
      images.map((image) => () => this.imageProcessor.preprocess(image)),
    );
    const videosLeft = this.#places(
      ids,
      VIDEO_PAD,
      'video',
      videos.map((video) => () => this.imageProcessor.preprocessVideo(video)),
    );
    const merged = this.imageProcessor.config.mergeSize ** 2;
    const [imagePad, videoPad] = [this.tokenizer.id(IMAGE_PAD), this.tokenizer.id(VIDEO_PAD)];
    const processed: ProcessedImage[] = [];
    const inputIds: number[] = [];
    for (const id of ids) {
      const left = id === imagePad ? imagesLeft : id === videoPad ? videosLeft : undefined;
      const next = left?.shift()?.();
      if (next) processed.push(next);
      const [t, h, w] = next?.grid ?? [1, 1, merged];
      for (let count = (t * h * w) / merged; count > 0; count--) inputIds.push(id);
    }
    return { inputIds, images: processed };
  }

  /** What fills the places of one kind, once their number is known to be right. */
  #places<T>(ids: readonly number[], token: string, kind: 'image' | 'video', fillings: T[]): T[] {
    const pad = this.tokenizer.id(token);
    const places = ids.filter((id) => id === pad).length;
    if (places === fillings.length) return fillings;
    throw new UserError(
      `the prompt has ${places} places for ${kind}s (${token}), but there are ${fillings.length} ${kind}s; ` +
        `give one ${kind} for each place`,
    );
  }
}

function imagesOf({ content }: Message): RgbImage[] {
  if (typeof content === 'string') return [];
  return content.flatMap((part) => (part.type === 'image' ? [part.image] : []));
}

/** Templates ask what a part is, never for its pixels. */
function withoutPixels({ role, content }: Message): TemplateMessage {
  if (typeof content === 'string') return { role, content };
  return {
    role,
    content: content.map((part) => (part.type === 'text' ? { ...part } : { type: part.type })),
  };
}

/** transformers 5 writes the image processor into processor_config.json, before it had a file of its own. */
/** How a checkpoint folder wants pictures. @throws UserError where it does not say. */
export function imageSettings(folder: string): ImageProcessorConfig {
  const path = join(folder, 'preprocessor_config.json');
  const nested = readOptionalJsonObject(join(folder, 'processor_config.json'));
  if (nested?.image_processor !== undefined) return parseImageProcessorConfig(nested);
  if (!existsSync(path)) {
    throw new UserError(
      `${folder} says nowhere how images are prepared: add preprocessor_config.json of its base model`,
    );
  }
  return parseImageProcessorConfig(readJsonObject(path));
}
