import type {
  Engine,
  EngineCapabilities,
  EngineChat,
  EngineCompletion,
  EngineDelta,
  EngineRequest,
  EngineSettings,
  EngineToken,
  ScoredContinuation,
} from '../engines/engine.js';
import { assert } from '../util/errors.js';

/** What the fake writes for one chat, and how likely it takes each side's word to be wherever one may stand. */
export interface Script {
  readonly text: string;
  readonly unsafe?: number;
  /** The word of the other side; `text` has the one, `other` the other. */
  readonly words?: readonly [safe: string, unsafe: string];
  readonly finishReason?: EngineCompletion['finishReason'];
  /** A server may leave them out. */
  readonly logprobs?: boolean;
}

/** Words, marks and spaces as tokens; every word and mark of `words` has the other side as its alternative. */
function tokensOf({ text, unsafe = 0.5, words = ['yes', 'no'] }: Script): EngineToken[] {
  return (text.match(/\p{L}+|\s+|[^\p{L}\s]/gu) ?? []).map((piece) => {
    const side = words.indexOf(piece);
    const odds = [Math.log(1 - unsafe), Math.log(unsafe)];
    const top =
      side < 0 ? [{ text: piece, logprob: 0 }] : words.map((word, i) => ({ text: word, logprob: odds[i] }));
    return { text: piece, bytes: Buffer.from(piece), logprob: side < 0 ? 0 : odds[side], top };
  });
}

/** An engine that answers each chat by a function of the words in it. */
export class FakeEngine implements Engine {
  readonly name = 'fake';
  readonly identity = { name: 'fake', path: '/models/fake' };
  readonly capabilities: EngineCapabilities;
  readonly batches: { readonly chats: readonly EngineChat[]; readonly settings: EngineSettings }[] = [];
  readonly scored: { readonly chats: readonly EngineChat[]; readonly settings: EngineSettings }[] = [];
  closed = false;

  constructor(
    private readonly answer: (prompt: string, settings: EngineSettings) => Script,
    readonly pace?: Engine['pace'],
    /** Log-probabilities by text, where it can score; what is not named has none. */
    private readonly scores?: Readonly<Record<string, number>>,
    capabilities: Partial<EngineCapabilities> = {},
  ) {
    this.capabilities = {
      images: 'many',
      logprobs: true,
      grammar: true,
      prefix: true,
      score: scores !== undefined,
      stream: true,
      seed: true,
      contextLength: 1000,
      ...capabilities,
    };
  }

  async complete({ messages, ...settings }: EngineRequest): Promise<EngineCompletion[]> {
    return this.completeAll([messages], settings);
  }

  async completeAll(chats: readonly EngineChat[], settings: EngineSettings): Promise<EngineCompletion[]> {
    this.batches.push({ chats, settings });
    return chats.map((chat) => {
      const script = this.answer(wordsOf(chat), settings);
      const tokens = tokensOf(script);
      const { text, finishReason = 'stop', logprobs = true } = script;
      const usage = { prompt: wordsOf(chat).length, completion: tokens.length };
      return { text, tokens: logprobs ? tokens : [], finishReason, usage };
    });
  }

  async *stream(request: EngineRequest): AsyncGenerator<EngineDelta, void> {
    const [completion] = await this.complete(request);
    for (const { text } of completion.tokens) yield { text, completion: null };
    yield { text: '', completion };
  }

  async score(
    { messages, ...settings }: EngineRequest,
    continuations: readonly string[],
  ): Promise<ScoredContinuation[]> {
    assert(this.scores, 'this fake does not score');
    this.scored.push({ chats: [messages], settings });
    return continuations.map((text) => ({ tokens: [], logprob: this.scores?.[text] ?? -Infinity }));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function wordsOf(chat: EngineChat): string {
  return chat
    .map(({ content }) =>
      typeof content === 'string'
        ? content
        : content.map((part) => (part.type === 'text' ? part.text : '[image]')).join(''),
    )
    .join('\n');
}
