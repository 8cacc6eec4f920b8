/**
 * @module Stage 1 of the method for one picture (arXiv 2603.01228; SafeGuard-VL:data/recaption/recaption.py): the model's
 * own caption, sensitive things made explicit, a judge that keeps what is right. Deviations from the authors' script: it
 * has no judge, and its rewriter drops what is harmless; here the whole description stays.
 */
import type { Engine, EngineCompletion } from '../engines/engine.js';
import { withinPixels } from '../guard/pictures.js';
import { userTurn } from '../guard/profile.js';
import { decodeImage } from '../images/decode.js';
import type { RgbImage } from '../images/image.js';
import { assert, UserError } from '../util/errors.js';
import type { RecaptionEngines } from './engines.js';
import type { Picture } from './pictures.js';
import type { RecaptionConfig } from './recaption-config.js';
import { notADescription } from './no-description.js';
import { filled, pickFor, readJudgement, seedOf } from './recaption-prompts.js';
import { contradiction, makeExplicit } from './scene-facts.js';

/** The steps that a picture can be lost at. */
export const STEPS = ['picture', 'caption', 'rewrite', 'judge'] as const;
export type RecaptionStep = (typeof STEPS)[number];

export interface Kept {
  readonly outcome: 'kept';
  readonly prompt: string;
  readonly answer: string;
  /** What the captioner said. */
  readonly caption: string;
}

export interface Lost {
  /** `rejected` for good, as trying again would end the same; `failed` where it may not. */
  readonly outcome: 'rejected' | 'failed';
  readonly at: RecaptionStep;
  readonly reason: string;
  readonly caption?: string;
  readonly recaption?: string;
}

/** A picture that has no recaption, thrown from wherever that shows. */
class LostError extends Error {
  override name = 'LostError';
  constructor(readonly lost: Lost) {
    super(lost.reason);
  }
}

/** Tries until a recaption passes; the last attempt's rejection counts. */
export async function recaptionOf(
  picture: Picture,
  config: RecaptionConfig,
  engines: RecaptionEngines,
  signal: AbortSignal,
): Promise<Kept | Lost> {
  let lost: Lost | undefined;
  try {
    const pixels = await pixelsOf(picture, config.max_pixels);
    for (let attempt = 0; attempt < config.attempts; attempt++) {
      const made = await attemptOf({ picture, pixels, attempt, config, engines, signal });
      if (made.outcome === 'kept') return made;
      lost = made;
    }
  } catch (error) {
    if (error instanceof LostError) return error.lost;
    throw error;
  }
  assert(lost !== undefined, 'a picture was not tried at all');
  return lost;
}

async function pixelsOf({ path }: Picture, maxPixels: number): Promise<RgbImage> {
  try {
    return withinPixels(await decodeImage(path), maxPixels);
  } catch (error) {
    if (error instanceof UserError)
      throw new LostError({ outcome: 'rejected', at: 'picture', reason: error.message });
    throw error;
  }
}

interface Attempt {
  readonly picture: Picture;
  readonly pixels: RgbImage;
  readonly attempt: number;
  readonly config: RecaptionConfig;
  readonly engines: RecaptionEngines;
  readonly signal: AbortSignal;
}

/** Caption, rewrite, judge. */
async function attemptOf(asked: Attempt): Promise<Kept | Lost> {
  const { picture, attempt, config, engines } = asked;
  const { prompts, temperature } = config;
  const question = pickFor(prompts.caption, picture.name, 'caption');
  // A second caption without a temperature would be the first one again.
  const warmth = attempt === 0 ? temperature.caption : Math.max(temperature.caption, temperature.rewrite);
  const first = await answerOf('caption', engines.captioner, question, warmth, asked);
  const caption = first.text;
  if (first.isCutOff) return cutOff('caption', caption, config);
  const noCaption = notADescription(caption);
  if (noCaption !== null) return noDescription('caption', noCaption, { caption });
  const second = await rewritten(caption, asked);
  const recaption = second.text;
  if (second.isCutOff) return { ...cutOff('rewrite', caption, config), recaption };
  const noRecaption = notADescription(recaption);
  if (noRecaption !== null) return noDescription('rewrite', noRecaption, { caption, recaption });
  const reason = await objection(asked, caption, recaption);
  if (reason !== null) return { outcome: 'rejected', at: 'judge', reason, caption, recaption };
  const prompt = prompts.ask.length === 0 ? question : pickFor(prompts.ask, picture.name, 'ask');
  return { outcome: 'kept', prompt, answer: recaption, caption };
}

/** By the model, or by the rule that the configuration names. */
async function rewritten(caption: string, asked: Attempt): Promise<Answer> {
  const { config, engines } = asked;
  if (engines.rewriter === null) {
    return { text: config.rewriter === 'icons' ? makeExplicit(caption) : caption, isCutOff: false };
  }
  const prompt = filled(config.prompts.rewrite, { caption });
  return answerOf('rewrite', engines.rewriter, prompt, config.temperature.rewrite, asked);
}

const cutOff = (at: RecaptionStep, caption: string, { max_new_tokens: most }: RecaptionConfig): Lost => ({
  outcome: 'rejected',
  at,
  reason: `the text was cut off at max_new_tokens, ${most}`,
  caption,
});

/** For good: no judge may let it pass. */
const noDescription = (
  at: RecaptionStep,
  reason: string,
  said: { readonly caption: string; readonly recaption?: string },
): Lost => ({
  outcome: 'rejected',
  at,
  reason: `the text does not describe the picture: ${reason}`,
  ...said,
});

interface Answer {
  readonly text: string;
  readonly isCutOff: boolean;
}

/** @throws LostError where none came. */
async function answerOf(
  at: RecaptionStep,
  engine: Engine,
  prompt: string,
  temperature: number,
  { picture, pixels, attempt, config, signal }: Attempt,
): Promise<Answer> {
  const failed = (reason: string): LostError => new LostError({ outcome: 'failed', at, reason });
  let completion: EngineCompletion | undefined;
  try {
    [completion] = await engine.complete({
      messages: [userTurn([pixels], prompt)],
      maxNewTokens: config.max_new_tokens,
      temperature,
      seed: seedOf(config.seed, at, picture.name, attempt),
      signal,
    });
  } catch (error) {
    if (error instanceof UserError && !signal.aborted) throw failed(error.message);
    throw error;
  }
  const text = completion?.text.trim() ?? '';
  if (text === '') throw failed(`${engine.name} gave an empty answer`);
  return { text, isCutOff: completion?.finishReason === 'length' };
}

const MAX_QUOTE = 80;

/** Why the recaption is not kept; null where it is. */
async function objection(asked: Attempt, caption: string, rewritten: string): Promise<string | null> {
  const { engines, config, picture } = asked;
  if (engines.judge === null) {
    return picture.facts === null ? 'nothing is known of the scene' : contradiction(rewritten, picture.facts);
  }
  const prompt = filled(config.prompts.judge, { caption, recaption: rewritten });
  // Its first word is what counts: a reason that is cut off is a reason all the same.
  const { text } = await answerOf('judge', engines.judge, prompt, 0, asked);
  const read = readJudgement(text);
  if (read !== null) return read.passes ? null : read.reason;
  const reason = `the judge's answer begins with neither yes nor no: ${JSON.stringify(text.slice(0, MAX_QUOTE))}`;
  throw new LostError({ outcome: 'failed', at: 'judge', reason, caption, recaption: rewritten });
}
