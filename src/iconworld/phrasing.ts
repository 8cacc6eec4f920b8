/**
 * The grammar of policies: subject × predicate × condition in a frame, for each kind of rule.
 *
 * Splits: a *combination* is (kind, subject, predicate, condition). A seeded hash withholds a quarter of all combinations from
 * training, a part each for validation and test; some whole frames are withheld too. `newWords` says everything in words that
 * training never uses.
 */
import { assert } from '../util/errors.js';
import type { Random } from '../util/random.js';
import {
  ALLOW_FRAMES,
  AT_MOST_FRAMES,
  BAN_FRAMES,
  type Frame,
  NEVER_IN_FRAMES,
  ONLY_IN_FRAMES,
  TOGETHER_FRAMES,
} from './phrasing-frames.js';
import {
  CONDITION_SLOTS,
  type Option,
  optionsOf,
  type RulingRule,
  SUBJECT_SLOTS,
} from './phrasing-options.js';
import { VOICE_SENTENCES } from './phrasing-voice.js';
import { hashShare, type Split } from './splits.js';

export type { RulingRule } from './phrasing-options.js';

/** Of all combinations: below the first bound training's, below the second validation's, the rest test's. */
const TRAIN_SHARE = 0.75;
const VALIDATION_SHARE = 0.85;
/** How often a held-out sentence uses a held-out frame; else a known frame with a withheld combination. */
const HELD_FRAME_SHARE = 0.5;
/** A withheld combination comes up in about every seventh try; far more tries than that mean a broken table. */
const MAX_TRIES = 5000;
/** Longer sentences are drawn again. */
export const MAX_WORDS = 16;

type Role = 'subject' | 'predicate' | 'condition' | 'filler';

type Piece = string | { readonly slot: string; readonly role: Role };

interface CompiledFrame {
  readonly frame: Frame;
  readonly pieces: readonly Piece[];
}

/** A sentence of the grammar with the choices that made it. */
export interface Form {
  readonly text: string;
  readonly split: 'train' | 'validation' | 'test';
  readonly frame: string;
  /** Predicates chosen in this form, as in the tables. */
  readonly predicates: readonly string[];
}

/** Slots that follow another slot's number instead of being chosen. */
export const AGREEMENT: Readonly<Record<string, readonly [singular: string, plural: string]>> = {
  are: ['is', 'are'],
  have: ['has', 'have'],
  do: ['does', 'do'],
  they: ['it', 'they'],
  belong: ['belongs', 'belong'],
  is: ['is', 'are'],
};

function compile(frame: Frame): CompiledFrame {
  const pieces = frame.template.split(/[{}]/).map((part, index): Piece => {
    if (index % 2 === 0) return part;
    if (part in AGREEMENT) return `{${part}}`;
    if (part.startsWith('=')) return { slot: part, role: 'filler' };
    if (part === 'S' && index === 1 && frame.template.startsWith('{'))
      return { slot: 'opening S', role: 'subject' };
    const role = SUBJECT_SLOTS.has(part) ? 'subject' : CONDITION_SLOTS.has(part) ? 'condition' : 'predicate';
    return { slot: part, role };
  });
  return { frame, pieces: pieces.filter((piece) => piece !== '') };
}

/** The frames of a kind, each repeated by its weight: known ones and the two held-out sets. */
interface FrameSet {
  readonly known: readonly CompiledFrame[];
  readonly validation: readonly CompiledFrame[];
  readonly test: readonly CompiledFrame[];
}

function frameSet(table: readonly Frame[]): FrameSet {
  const of = (held: Frame['held']): CompiledFrame[] =>
    table
      .filter((frame) => frame.held === held)
      .flatMap((frame) => Array.from({ length: frame.weight }, () => compile(frame)));
  return { known: of(null), validation: of('validation'), test: of('test') };
}

const BAN = frameSet(BAN_FRAMES);
const ALLOW = frameSet(ALLOW_FRAMES);
const NEVER_IN = frameSet(NEVER_IN_FRAMES);
const ONLY_IN = frameSet(ONLY_IN_FRAMES);
const TOGETHER = frameSet(TOGETHER_FRAMES);
const AT_MOST = frameSet(AT_MOST_FRAMES);

function framesOf(rule: RulingRule): FrameSet {
  switch (rule.kind) {
    case 'ban':
      return BAN;
    case 'allow':
      return ALLOW;
    case 'default':
      return rule.banned ? BAN : ALLOW;
    case 'neverIn':
      return NEVER_IN;
    case 'onlyIn':
      return ONLY_IN;
    case 'neverTogether':
      return TOGETHER;
    case 'atMost':
      return AT_MOST;
  }
}

/** Namespace of the combination hash. */
function kindName(rule: RulingRule): string {
  return rule.kind === 'default' ? `default ${rule.banned ? 'ban' : 'allow'}` : rule.kind;
}

/** The form that these choices (one per slot, in order) make. */
function assemble(rule: RulingRule, { frame, pieces }: CompiledFrame, chosen: readonly Option[]): Form {
  const subjectsChosen: Option[] = [];
  const predicates: string[] = [];
  const conditions: string[] = [];
  let text = '';
  let next = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const option = chosen[next++];
    text += piece.slot.startsWith('*') ? agree(option.text, true) : option.text;
    if (piece.role === 'subject') subjectsChosen.push(option);
    else if (piece.role === 'predicate') predicates.push(...option.parts);
    else if (piece.role === 'condition') conditions.push(...option.parts);
  }
  const sentence = agree(text, subjectsChosen[0]?.plural ?? true);
  return {
    text: sentence.charAt(0).toUpperCase() + sentence.slice(1),
    split:
      frame.held ??
      splitOfCombination(rule, subjectsChosen, predicates.join('+') || frame.template, conditions.join('+')),
    frame: frame.template,
    predicates,
  };
}

function agree(text: string, plural: boolean): string {
  return text.includes('{')
    ? text.replace(/\{(\w+)\}/g, (_, slot: string) => AGREEMENT[slot][plural ? 1 : 0])
    : text;
}

/** Of several subjects each makes a combination: training's only if all are; else the test's if any is. */
function splitOfCombination(
  rule: RulingRule,
  chosen: readonly Option[],
  predicate: string,
  condition: string,
): Form['split'] {
  const pair = rule.kind === 'neverTogether';
  const subjectParts = pair
    ? [chosen.map((option) => option.parts[0]).join('+')]
    : chosen.flatMap((option) => option.parts);
  const splits = subjectParts.map((subject) => {
    const share = hashShare(`phrasing|${kindName(rule)}|${subject}|${predicate}|${condition}`);
    return share < TRAIN_SHARE ? 'train' : share < VALIDATION_SHARE ? 'validation' : 'test';
  });
  if (splits.every((split) => split === 'train')) return 'train';
  return splits.includes('test') ? 'test' : 'validation';
}

/** One sentence that says `rule` in the phrasings of `split`; voice is `voiceSentence`'s. */
export function phraseRule(random: Random, rule: RulingRule, split: Split): string {
  const set = framesOf(rule);
  const fresh = split === 'newWords';
  const held = (split === 'validation' || split === 'test') && random.chance(HELD_FRAME_SHARE);
  const from = held ? set[split] : set.known;
  for (let i = 0; i < MAX_TRIES; i++) {
    const compiled = random.pick(from);
    const chosen: Option[] = [];
    for (const piece of compiled.pieces) {
      if (typeof piece !== 'string') chosen.push(random.pick(optionsOf(rule, piece.slot, fresh)));
    }
    const form = assemble(rule, compiled, chosen);
    const short = form.text.split(' ').length <= MAX_WORDS;
    if (short && (fresh ? form.predicates.length > 0 : form.split === split)) return form.text;
  }
  assert(false, `grammar: no sentence for ${JSON.stringify(rule)} in ${split}`);
}

/**
 * Every form that can say `rule` in known words, each once: for counts and for proofs that a sentence is withheld.
 * With `sentence`, at least those forms whose text it is; forms that cannot be it are passed over.
 */
export function* formsOf(rule: RulingRule, sentence?: string): Generator<Form> {
  const set = framesOf(rule);
  const fits = ({ text }: Option): boolean =>
    sentence === undefined ||
    text.split(/\{\w+\}/).every((part) => sentence.toLowerCase().includes(part.toLowerCase()));
  for (const compiled of new Set([...set.known, ...set.validation, ...set.test])) {
    const slots = compiled.pieces.filter((piece) => typeof piece !== 'string');
    const options = slots.map(({ slot }) => [...new Set(optionsOf(rule, slot, false))].filter(fits));
    for (const chosen of product(options)) yield assemble(rule, compiled, chosen);
  }
}

function* product(lists: readonly (readonly Option[])[]): Generator<readonly Option[]> {
  const [head, ...rest] = lists;
  if (!head) {
    yield [];
    return;
  }
  for (const option of head) for (const tail of product(rest)) yield [option, ...tail];
}

/** A sentence that rules nothing, of `split`'s share of all; `newWords` shares those of the test. */
export function voiceSentence(random: Random, split: Split): string {
  return random.pick(VOICE_SENTENCES[split === 'newWords' ? 'test' : split]);
}
