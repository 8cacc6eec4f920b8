/** @module The verdict behind free reasoning: where an answer leaves it open, the model is asked, and nothing is guessed. */
import type { Engine, EngineCompletion } from '../engines/engine.js';
import { UserError } from '../util/errors.js';
import type { Answered, Asked } from './answered.js';
import { sideThatBegins, TOP_LOGPROBS, unsafeProbability } from './probability.js';
import { type ClosingWords, type GuardProfile, type ReadAnswer, undecided } from './profile.js';
import { readWord } from './profiles/one-word.js';

/** A model that gives its verdict words less than this share of what may come next is not giving a verdict. */
const LEAST_WEIGHT = 0.01;
/** A word and the mark before it, at most, where the answer was begun. */
const WORD_TOKENS = 3;
/** A whole turn of one word: servers' chats end it with a token of its own, and some put marks around it. */
const TURN_TOKENS = 8;

type Usage = EngineCompletion['usage'];

/** What the model says when it is asked. */
interface Decision {
  readonly probability: number | null;
  readonly label: 'safe' | 'unsafe' | null;
  readonly usage: Usage;
}

/** Asks for the verdicts that free text left open; the other answers stay as they are. An answer cut off is not asked. */
export async function askedWhereOpen(
  engine: Engine,
  { closing }: GuardProfile,
  asked: readonly Asked[],
  answered: readonly Answered[],
  signal: AbortSignal | undefined,
): Promise<Answered[]> {
  return Promise.all(
    answered.map(async (one, i) => {
      if (closing === undefined) return one;
      const isCut = one.completion.finishReason === 'length';
      // What was cut off may have gone on to say the opposite.
      if (isCut && one.answer.label === 'safe')
        return { ...one, answer: cutOff(one.answer), probability: null };
      if (isCut || one.answer.problem?.kind !== 'undecided') return one;
      return settled(one, await decision(engine, asked[i], one.completion.text, closing, signal));
    }),
  );
}

const cutOff = ({ reasoning }: ReadAnswer): ReadAnswer =>
  undecided(reasoning, 'the answer was cut off behind a judgment');

async function decision(
  engine: Engine,
  { chat }: Asked,
  reasoning: string,
  closing: ClosingWords,
  signal: AbortSignal | undefined,
): Promise<Decision | string> {
  const { capabilities } = engine;
  const ask = capabilities.prefix ? (capabilities.score ? scored : begun) : inAnotherTurn;
  try {
    return await ask(engine, chat, reasoning, closing, signal);
  } catch (error) {
    // A server may refuse what it was never asked before, or the chat is too long now: the reasoning is not lost for it.
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

type Ask = (
  engine: Engine,
  chat: Asked['chat'],
  reasoning: string,
  closing: ClosingWords,
  signal: AbortSignal | undefined,
) => Promise<Decision>;

const withClosing = (reasoning: string, { prefix }: ClosingWords): string => reasoning.trimEnd() + prefix;

/** The verdict words, each in the forms that models write, weighed against each other behind the closing words. */
const scored: Ask = async (engine, chat, reasoning, closing, signal) => {
  const { safe, unsafe } = closing.words;
  const forms = [
    ...formsOf(safe, closing).map((text) => ({ text, isUnsafe: false })),
    ...formsOf(unsafe, closing).map((text) => ({ text, isUnsafe: true })),
  ];
  const scores = await engine.score(
    { messages: chat, prefix: withClosing(reasoning, closing), maxNewTokens: 1, signal },
    forms.map(({ text }) => text),
  );
  const weights = { safe: 0, unsafe: 0 };
  for (const [i, { isUnsafe }] of forms.entries()) {
    const weight = Math.exp(Math.min(0, scores[i].logprob));
    if (Number.isFinite(weight)) weights[isUnsafe ? 'unsafe' : 'safe'] += weight;
  }
  const whole = weights.safe + weights.unsafe;
  const usage = { prompt: null, completion: 0 };
  if (!(whole >= LEAST_WEIGHT)) return { probability: null, label: null, usage };
  const probability = weights.unsafe / whole;
  return { probability, label: probability >= 0.5 ? 'unsafe' : 'safe', usage };
};

/** `Safe`, `safe` and `SAFE`, with the space that stands between words, and not beside a mark such as `>`. */
function formsOf(words: readonly string[], { prefix }: ClosingWords): string[] {
  const isBehindMark = /[^\p{L}\p{N}:.]$/u.test(prefix);
  const spaced = (word: string): string => (isBehindMark || !/^\p{L}/u.test(word) ? word : ` ${word}`);
  return [...new Set(words.flatMap((word) => [word, word.toLowerCase(), word.toUpperCase()]).map(spaced))];
}

/** The server goes on from the closing words; the next word decides. */
const begun: Ask = async (engine, chat, reasoning, closing, signal) => {
  const [{ text, tokens, usage }] = await engine.complete({
    messages: chat,
    prefix: withClosing(reasoning, closing),
    maxNewTokens: WORD_TOKENS,
    topLogprobs: TOP_LOGPROBS,
    signal,
  });
  const start = text.length - text.trimStart().length;
  const word = /^[\s*_]*(?<word>\p{L}+(?: safe\b)?)/iu.exec(text.slice(start))?.groups?.['word'] ?? '';
  const side = sideThatBegins(word.toLowerCase(), closing.words);
  return labelled(
    side,
    side === null ? null : unsafeProbability(tokens, text.indexOf(word), closing.words),
    usage,
  );
};

/** A second question, to be answered with one word. */
const inAnotherTurn: Ask = async (engine, chat, reasoning, { prefix, words }, signal) => {
  const choice = [words.safe[0], words.unsafe[0]].join(' or ');
  const [{ text, tokens, usage }] = await engine.complete({
    messages: [
      ...chat,
      { role: 'assistant', content: reasoning },
      { role: 'user', content: `${prefix.trim()} answer with one word, ${choice}.` },
    ],
    maxNewTokens: TURN_TOKENS,
    topLogprobs: TOP_LOGPROBS,
    signal,
  });
  const { label, verdictAt } = readWord(text, words);
  if (label === 'invalid' || verdictAt === null) return labelled(null, null, usage);
  return labelled(label, unsafeProbability(tokens, verdictAt, words), usage);
};

/** The likelier side where it is known, else the word itself. */
function labelled(side: 'safe' | 'unsafe' | null, probability: number | null, usage: Usage): Decision {
  if (side === null) return { probability: null, label: null, usage };
  const label = probability === null ? side : probability >= 0.5 ? 'unsafe' : 'safe';
  // A word against its own probability is no clear judgment: the sampled token and the weights disagree.
  return label === side ? { probability, label, usage } : { probability: null, label: null, usage };
}

function settled(open: Answered, decided: Decision | string): Answered {
  const { reasoning, problem } = open.answer;
  const why = problem?.message ?? '';
  if (typeof decided === 'string') {
    return {
      ...open,
      answer: undecided(reasoning, `${why}, and the model could not be asked for it: ${decided}`),
    };
  }
  const { probability, label, usage } = decided;
  const total = { ...open, asked: true, usage: sum(open.usage, usage) };
  if (label === null) {
    return {
      ...total,
      answer: undecided(reasoning, `${why}, and the model gave none when it was asked for it`),
    };
  }
  const answer: ReadAnswer = { ...open.answer, label, problem: null };
  return { ...total, answer, probability };
}

const sum = (a: Usage, b: Usage): Usage => ({
  prompt: a.prompt === null ? null : a.prompt + (b.prompt ?? 0),
  completion: a.completion === null || b.completion === null ? null : a.completion + b.completion,
});
