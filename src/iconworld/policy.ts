/** Free policies: rules drawn at random, said in the phrasings of a split; and pairs that differ in one statement. */
import { assert } from '../util/errors.js';
import type { Random } from '../util/random.js';
import { judgeRules, namedBy } from './label.js';
import { LEVEL_RULES } from './levels.js';
import { strewWords } from './noise.js';
import { estimateTokens, layOut, MAX_POLICY_TOKENS, sampleLayout } from './page.js';
import { phraseRule, voiceSentence } from './phrasing.js';
import { changeRule, type KindWeights, rulesKey, sampleRules } from './rules.js';
import type { Split } from './splits.js';
import type { IconPolicy, Rule, SceneFacts, Statement } from './types.js';

export type Range = readonly [min: number, max: number];

export interface PolicyOptions {
  readonly split: Split;
  /** Ruling statements besides the one default; {@link FREE_RULES} if absent. */
  readonly rules?: Range;
  readonly voice?: Range;
  /** A scene whose categories and place the policy should mostly speak of. */
  readonly facts?: SceneFacts;
  /** The label that `facts` shall have under the policy; needs a sensitive thing to be `unsafe`. */
  readonly want?: 'safe' | 'unsafe';
  /** Statements that decide on a category call it by its plain name, never by a synonym. */
  readonly plain?: boolean;
  /** How often each kind of rule is drawn; as IconWorld has it if absent. */
  readonly kinds?: KindWeights;
  /** The probability that words that rule nothing are strewn into the sentences; 0 if absent. */
  readonly noise?: number;
}

/** With the default, 1–9 ruling statements. */
const FREE_RULES: Range = [0, 8];
const FREE_VOICE: Range = [0, 4];

/** A label is met about every second to tenth try; so many failures mean that it cannot be met. */
const MAX_TRIES = 2000;

/** Samples a free policy; never one that rules exactly as a level does. */
export function samplePolicy(random: Random, options: PolicyOptions): IconPolicy {
  const rules = rulesWanted(random, options);
  return write(random, withVoice(random, rules, options.voice ?? FREE_VOICE), wordingOf(random, options));
}

function rulesWanted(random: Random, { rules = FREE_RULES, facts, want, kinds }: PolicyOptions): Rule[] {
  for (let i = 0; i < MAX_TRIES; i++) {
    const drawn = sampleRules(random, random.int(...rules), facts, kinds);
    if (LEVEL_RULES.has(rulesKey(drawn))) continue;
    if (!want || !facts || judgeRules(facts, drawn).label === want) return drawn;
  }
  assert(false, `no policy makes this scene ${want}`);
}

function withVoice(random: Random, rules: readonly Rule[], range: Range): Rule[] {
  const all = [...rules];
  for (let left = random.int(...range); left > 0; left--)
    all.splice(random.int(0, all.length), 0, { kind: 'voice' });
  return all;
}

/** How statements are put into words. */
interface Wording extends Pick<PolicyOptions, 'split' | 'plain'> {
  readonly noisy: boolean;
}

function wordingOf(random: Random, { split, plain, noise = 0 }: PolicyOptions): Wording {
  return { split, plain, noisy: noise > 0 && random.chance(noise) };
}

function phrase(random: Random, rule: Rule, wording: Wording): Statement {
  const { text } = clearly(random, rule, wording);
  return { rule, text: wording.noisy ? strewWords(random, text) : text };
}

function clearly(random: Random, rule: Rule, { split, plain = false }: Wording): Statement {
  if (rule.kind === 'voice') return { rule, text: voiceSentence(random, split) };
  const names = plain ? namedBy(rule) : [];
  for (let i = 0; i < MAX_TRIES; i++) {
    const text = phraseRule(random, rule, split);
    // With the space before it a name is the same token wherever it stands.
    if (names.every((name) => text.includes(` ${name}`))) return { rule, text };
  }
  assert(false, `no phrasing calls ${names.join(' and ')} by name`);
}

function write(random: Random, rules: readonly Rule[], wording: Wording): IconPolicy {
  const layout = sampleLayout(random, rules.length);
  return layOut(
    layout,
    phraseWithin(random, wording, (say) => rules.map(say)),
  );
}

/** Phrases statements anew until the numbered text fits the model's prompt; nearly always at once. */
function phraseWithin(
  random: Random,
  wording: Wording,
  build: (say: (rule: Rule) => Statement) => Statement[],
): Statement[] {
  for (let i = 0; i < MAX_TRIES; i++) {
    const statements = build((rule) => phrase(random, rule, wording));
    if (
      estimateTokens(statements) <= MAX_POLICY_TOKENS &&
      new Set(statements.map(({ text }) => text)).size === statements.length
    ) {
      return statements;
    }
  }
  assert(false, 'a policy of this many statements never fits the prompt');
}

/**
 * Two policies that differ in one statement and in the label of `facts` (which must hold a sensitive thing), the safe one first.
 * They share every other sentence, the order and the layout.
 */
export function boundaryPair(
  random: Random,
  facts: SceneFacts,
  options: Pick<PolicyOptions, 'split' | 'rules' | 'voice' | 'kinds' | 'noise'>,
): readonly [safe: IconPolicy, unsafe: IconPolicy] {
  for (let i = 0; i < MAX_TRIES; i++) {
    const rules = withVoice(random, rulesWanted(random, { ...options, facts }), options.voice ?? FREE_VOICE);
    const at = random.int(0, rules.length - 1);
    const changed = changeRule(random, rules[at], facts);
    const other = rules.with(at, changed);
    const [label, otherLabel] = [rules, other].map((list) => judgeRules(facts, list).label);
    if (label === otherLabel || LEVEL_RULES.has(rulesKey(other))) continue;
    const layout = sampleLayout(random, rules.length);
    // The changed sentence stands behind the others while both pages are fitted to the prompt.
    const said = phraseWithin(random, wordingOf(random, options), (say) => [...rules.map(say), say(changed)]);
    const first = layOut(layout, said.slice(0, -1));
    const second = layOut(layout, said.slice(0, -1).with(at, said[said.length - 1]));
    return label === 'safe' ? [first, second] : [second, first];
  }
  assert(false, 'no boundary pair: the scene holds nothing sensitive');
}
