import type { Message } from '../models/qwen2_5_vl/chat.js';
import type { EncodedPrompt } from '../models/qwen2_5_vl/processor.js';
import type { ModelIdentity } from './verdict.js';

/** One generated answer with what was watched while it was made. */
export interface Completion {
  /** The new token ids, without the one that ended the answer. */
  readonly tokens: readonly number[];
  /** `tokens` decoded, special tokens left out. */
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  /**
   * One row a token: at the step where it was chosen, the log-probabilities (log-softmax of the raw logits over the
   * whole vocabulary, before any penalty or temperature) of the watched ids, in their order.
   */
  readonly watched: readonly Float32Array[];
}

export interface GenerateOptions {
  readonly maxNewTokens: number;
  /** Token ids whose log-probability is wanted at every step. */
  readonly watch: readonly number[];
}

/** The words of a model as numbers, and back. */
export interface GuardTokenizer {
  /** `special: false`: names of special tokens in the text stay plain text. */
  encode(text: string, options: { readonly special: boolean }): number[];
  decode(ids: readonly number[], options: { readonly skipSpecialTokens: boolean }): string;
}

/** What a {@link Guard} needs of a model: a processor for prompts, and greedy completions. */
export interface GuardModel {
  readonly identity: ModelIdentity;
  readonly processor: {
    readonly tokenizer: GuardTokenizer;
    encodeChat(messages: readonly Message[]): EncodedPrompt;
  };
  /** Greedy completions in the order of the prompts; the same single or batched. */
  generate(prompts: readonly EncodedPrompt[], options: GenerateOptions): Promise<readonly Completion[]>;
  /** Frees what the model holds; it cannot be asked again. */
  dispose(): Promise<void>;
}
