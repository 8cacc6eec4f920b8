/** @module Plain questions about images: what the model could do before it was a guardrail, it still can. */
import type { Engine, EngineImage, EngineMessage } from '../engines/engine.js';
import { assert, UserError } from '../util/errors.js';
import { userTurn } from './profile.js';

/** One turn of a chat in words; the images stand before the first turn of the user. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface AskOptions {
  readonly maxNewTokens?: number;
  /** 0 or left out: the likeliest token at every step. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onText?: (text: string) => void;
}

export interface Reply {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly tokens: { readonly prompt: number | null; readonly completion: number | null };
}

/** Asks the model and hands its words on as they come. */
export async function reply(
  engine: Engine,
  images: readonly EngineImage[],
  question: string | readonly Turn[],
  { onText, ...settings }: AskOptions & { readonly maxNewTokens: number },
): Promise<Reply> {
  const turns = typeof question === 'string' ? [{ role: 'user' as const, content: question }] : question;
  const messages = withImages(turns, images);
  for await (const { text, completion } of engine.stream({ ...settings, messages })) {
    if (text !== '') onText?.(text);
    if (completion !== null) {
      const { usage, finishReason } = completion;
      return { text: completion.text, finishReason, tokens: usage };
    }
  }
  assert(false, 'a stream ended without its completion');
}

function withImages(turns: readonly Turn[], images: readonly EngineImage[]): EngineMessage[] {
  const first = turns.findIndex(({ role }) => role === 'user');
  if (first < 0 || turns.at(-1)?.role !== 'user') {
    throw new UserError('the chat must end with a turn of the user; ask something');
  }
  return turns.map((turn, i) => (i === first ? userTurn(images, turn.content) : turn));
}
