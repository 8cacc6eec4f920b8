import type { ContentPart, Message } from '../models/qwen2_5_vl/chat.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import type { Completion, GenerateOptions, GuardModel, GuardTokenizer } from './model.js';

/** Greedy longest match over a few words, single characters otherwise: tokens that cross word borders, as BPE's do. */
export class FakeTokenizer implements GuardTokenizer {
  readonly #words: readonly string[];

  constructor(words: readonly string[] = ['<answer>', '</answer>', '<think>', '</think>', 'yes', 'no']) {
    this.#words = words;
  }

  encode(text: string): number[] {
    const ids: number[] = [];
    for (let at = 0; at < text.length; ) {
      const index = this.#words.findIndex((word) => text.startsWith(word, at));
      ids.push(index < 0 ? text.charCodeAt(at) + 1000 : index);
      at += this.#words[index]?.length ?? 1;
    }
    return ids;
  }

  decode(ids: readonly number[]): string {
    return ids.map((id) => this.#words[id] ?? String.fromCharCode(id - 1000)).join('');
  }
}

/** What the fake writes for one prompt, and the probability it gives to "no" wherever the verdict may stand. */
export interface Script {
  readonly text: string;
  readonly unsafe?: number;
  readonly finishReason?: Completion['finishReason'];
}

/** A model that answers each prompt by a function of the words in it. */
export class FakeModel implements GuardModel {
  readonly identity = { name: 'fake', path: '/models/fake' };
  readonly batches: { readonly size: number; readonly options: GenerateOptions }[] = [];
  readonly processor: {
    readonly tokenizer: FakeTokenizer;
    encodeChat(messages: readonly Message[]): EncodedPrompt;
  };
  readonly #answer: (prompt: string) => Script;

  constructor(answer: (prompt: string) => Script, tokenizer: FakeTokenizer = new FakeTokenizer()) {
    this.#answer = answer;
    this.processor = {
      tokenizer,
      encodeChat: (messages) => ({
        inputIds: tokenizer.encode(messages.map(wordsOf).join('\n')),
        images: [],
      }),
    };
  }

  disposed = false;

  async dispose(): Promise<void> {
    this.disposed = true;
    await Promise.resolve();
  }

  async generate(
    prompts: readonly EncodedPrompt[],
    options: GenerateOptions,
  ): Promise<readonly Completion[]> {
    this.batches.push({ size: prompts.length, options });
    const { tokenizer } = this.processor;
    return await Promise.resolve(
      prompts.map(({ inputIds }) => {
        const { text, unsafe = 0.5, finishReason = 'stop' } = this.#answer(tokenizer.decode(inputIds));
        const tokens = tokenizer.encode(text);
        // Half of the ids watched speak for safe: YES_IS_SAFE has one word a side.
        const row = Float32Array.from(options.watch, (_, index) =>
          Math.log(index < options.watch.length / 2 ? 1 - unsafe : unsafe),
        );
        return { tokens, text, finishReason, watched: tokens.map(() => row) };
      }),
    );
  }
}

function wordsOf({ content }: Message): string {
  if (typeof content === 'string') return content;
  return content.map((part: ContentPart) => (part.type === 'text' ? part.text : '[image]')).join('');
}
