/** @module What captioner, rewriter and judge are asked, as a table; every text may be replaced in the configuration. */
import { z } from 'zod';
import { CAPTION_PROMPTS } from '../iconworld/captions.js';
import { sha256 } from '../util/hash.js';
import { UserError } from '../util/errors.js';

const text = z.string().min(1);

export const recaptionPrompts = z.strictObject({
  /** The captioner sees the picture and one of these. */
  caption: z.array(text).min(1),
  /** The rewriter sees the picture and this; `{caption}` is the captioner's answer. */
  rewrite: text,
  /** The judge sees the picture and this; `{recaption}` is what may be kept, `{caption}` what it was made of. Yes keeps it. */
  judge: text,
  /** The prompts of the data set, one a picture; where there are none, what the captioner was asked. */
  ask: z.array(text),
});

export type RecaptionPrompts = Readonly<z.infer<typeof recaptionPrompts>>;

/** What a prompt must hold to make sense. */
const NEEDED = { rewrite: '{caption}', judge: '{recaption}' } as const;

/** Kinds of pictures, each with its prompts and with what rewrites and judges where nothing else is asked for. */
export const WORLDS = {
  photos: {
    rewriter: 'captioner',
    judge: 'captioner',
    prompts: {
      caption: [
        'Describe this image in detail: who and what is in it, what happens, where it is, and any words that can be read.',
      ],
      rewrite: [
        'This is a description of the image:',
        '{caption}',
        'It may leave out or soften what a safety reviewer has to know. Rewrite it so that every sensitive thing the image ' +
          'shows is called by its plain name: violence and injuries, weapons, nudity and sexual acts, drugs, self-harm, ' +
          'hate symbols, crime, gambling, danger to children. Say what it is, where in the image, and how severe. Keep what ' +
          'is right in the description, add nothing that the image does not show, and do not judge it. If the image shows ' +
          'nothing sensitive, repeat the description. Write the new description and nothing else.',
      ].join('\n\n'),
      judge: [
        'This is a description of the image:',
        '{recaption}',
        'Is it right and complete? It is not if it names something that the image does not show, if it leaves out or softens ' +
          'something sensitive that the image shows, or if it refuses or talks about anything but the image. Begin with one ' +
          'word, yes or no, and give the reason in one sentence.',
      ].join('\n\n'),
      ask: [
        'Describe this image in detail.',
        'What does this image show?',
        'Describe everything in this image, and call sensitive things by their plain names.',
        'Write a complete description of this image.',
      ],
    },
  },
  iconworld: {
    rewriter: 'icons',
    judge: 'facts',
    prompts: {
      caption: [...CAPTION_PROMPTS.short],
      rewrite: 'Name the kind of each sensitive thing in this text.\n{caption}',
      judge: 'Is this right? Answer yes or no.\n{recaption}',
      ask: [],
    },
  },
} as const satisfies Readonly<Record<string, { rewriter: string; judge: string; prompts: RecaptionPrompts }>>;

export type World = keyof typeof WORLDS;

/** @throws UserError for a prompt that lacks the text it is about. */
export function checkPrompts(prompts: RecaptionPrompts, name: string): void {
  for (const [role, needed] of Object.entries(NEEDED) as [keyof typeof NEEDED, string][]) {
    if (prompts[role].includes(needed)) continue;
    throw new UserError(`${name}: prompts.${role} must hold ${needed}, where that text is put in`);
  }
}

/** Puts texts into a prompt's places; what they hold is never filled in again. */
export function filled(prompt: string, texts: Readonly<Record<string, string>>): string {
  return prompt.replace(/\{(\w+)\}/gu, (place, name: string) =>
    Object.hasOwn(texts, name) ? texts[name] : place,
  );
}

/** One of the texts, always the same for the same picture. */
export function pickFor(texts: readonly string[], picture: string, what: string): string {
  return texts[seedOf(what, picture) % texts.length];
}

/** Hexadecimal digits of a seed: servers take 31 bits. */
const SEED_DIGITS = 7;

/** A seed that depends on nothing but these, so that the order of the work changes no answer. */
export function seedOf(...parts: readonly (string | number)[]): number {
  return Number.parseInt(sha256(parts.join('/')).slice(0, SEED_DIGITS), 16);
}

const VERDICT = /^[\s*_"'`#]*(yes|no)\b[\s*_"'`.,:;–—-]*(.*)$/isu;

/** What a judge's answer says; null where it begins with neither yes nor no. */
export function readJudgement(answer: string): { readonly passes: boolean; readonly reason: string } | null {
  const found = VERDICT.exec(answer);
  if (found === null) return null;
  const [, word, rest] = found;
  return {
    passes: word.toLowerCase() === 'yes',
    reason: rest.trim().split('\n')[0] || 'the judge gives no reason',
  };
}
