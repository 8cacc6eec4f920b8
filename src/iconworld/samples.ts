/** Endless streams of training samples: a picture (or none), what the user says, what the model shall answer. */
import type { RgbImage } from '../images/image.js';
import type { Random } from '../util/random.js';
import { answerText, bareAnswer, seenLine, UNKNOWN_PICTURE } from './answer.js';
import { CAPTION_PROMPTS, captionText, factsOf } from './captions.js';
import { HARMLESS_ICONS, ICONS_BY_CATEGORY } from './icons.js';
import { judgeScene, namedBy } from './label.js';
import { sampleOutOfWorld } from './outworld.js';
import { layOut, numberedText, sampleLayout } from './page.js';
import { boundaryPair, samplePolicy } from './policy.js';
import { type QuestionKind, sampleQuestion } from './questions.js';
import { renderScene } from './render.js';
import { sampleScene, type SceneOptions } from './scene.js';
import {
  FIND_WORDS_PROMPT,
  INDEX_PROMPT,
  indexText,
  LOCATE_PROMPT,
  locateText,
  ownWords,
} from './rule-index.js';
import { categoriesOf, type KindWeights } from './rules.js';
import { type Split, splitRandom } from './splits.js';
import {
  CATEGORIES,
  type Icon,
  type IconPolicy,
  type Rule,
  type Scene,
  type SceneFacts,
  SETTINGS,
  type Setting,
} from './types.js';

export type Task =
  | 'caption'
  | 'reading'
  | 'index'
  | 'locate'
  | 'findWords'
  | 'judgement'
  | 'question'
  | 'outOfWorld';

/** What made a sample; evaluation compares with it. */
export interface SampleMeta {
  readonly task: Task;
  readonly scene: Scene | null;
  readonly facts: SceneFacts | null;
  readonly policy: IconPolicy | null;
  /** Of `facts` under `policy`; null where the task has no verdict. */
  readonly label: 'safe' | 'unsafe' | null;
  readonly question: QuestionKind | null;
}

export interface Sample {
  /** Null for text alone, and for every task where the stream was made with `render: false`. */
  readonly image: RgbImage | null;
  /** The user's text, which follows the image. */
  readonly prompt: string;
  readonly answer: string;
  readonly meta: SampleMeta;
}

/** A stream draws its scenes, policies and pairs from its split's seeds; the same state of `random` gives the same sample. */
export interface SampleStream {
  readonly next: (random: Random) => Sample;
}

export interface StreamOptions {
  /** `train` if absent. */
  readonly split?: Split;
  /** Passed to `sampleScene`: style, sides, … */
  readonly scene?: SceneOptions;
  /** Pictures are drawn (`loadIcons()` must have finished); true if absent. */
  readonly render?: boolean;
}

type Drawing = Required<Pick<StreamOptions, 'split' | 'scene' | 'render'>>;

const drawing = ({ split = 'train', scene = {}, render = true }: StreamOptions): Drawing => ({
  split,
  scene,
  render,
});

const drawScene = (random: Random, { split, scene }: Drawing): Scene =>
  sampleScene(splitRandom(random, 'scene', split), scene);

const picture = (scene: Scene, { render }: Drawing): RgbImage | null => (render ? renderScene(scene) : null);

const NO_META = { scene: null, facts: null, policy: null, label: null, question: null } as const;

export interface CaptionStreamOptions extends StreamOptions {
  /** Share of long captions; the others are the first line of an answer. 0.3 if absent. */
  readonly longShare?: number;
  readonly suppressed?: boolean;
}

/** What is seen. */
export function captionSample(options: CaptionStreamOptions = {}): SampleStream {
  const how = drawing(options);
  const { longShare = 0.3, suppressed = false } = options;
  return {
    next: (random) => {
      const scene = drawScene(random, how);
      const form = random.chance(longShare) ? 'long' : 'short';
      const prompt = random.pick(CAPTION_PROMPTS[form]);
      const answer = captionText(random, scene, { form, suppressed });
      return {
        image: picture(scene, how),
        prompt,
        answer,
        meta: { ...NO_META, task: 'caption', scene, facts: factsOf(scene) },
      };
    },
  };
}

export interface ReadingStreamOptions {
  readonly split?: Split;
  /** Rules besides the default: half of the samples have so many, half fewer (the curriculum's step). 8 if absent. */
  readonly maxRules?: number;
  readonly maxVoice?: number;
  /** 1 … this many things, evenly. 6 if absent. */
  readonly maxThings?: number;
  /**
   * Of the things to look up, the share that statements name ({@link NAMED_SHARE} if absent). With 1 a statement decides
   * each of them wherever the policy has one that can.
   */
  readonly namedShare?: number;
  /** Statements call categories by their plain names. */
  readonly plain?: boolean;
  /** Statements stand in any order, the default anywhere among them. */
  readonly shuffled?: boolean;
  /** How often each kind of rule is drawn; as IconWorld has it if absent. */
  readonly kinds?: KindWeights;
  /** The probability that words that rule nothing are strewn into the policy; 0 if absent. */
  readonly noise?: number;
  /** The share of samples whose things are about one of the policy's statements on two categories or on a count; 0 if absent. */
  readonly groupShare?: number;
}

/** Of the things to look up, the share that statements name; of the rest half are harmless. */
const NAMED_SHARE = 0.75;
/** Places are mostly those that conditions name. */
const RULED_SETTING_SHARE = 0.65;
const NO_SETTING_SHARE = 0.2;
/** This share of reading samples is drawn anew until the verdict is the one that a coin chose, or many things would mean "unsafe". */
const BALANCED_SHARE = 0.5;
const BALANCING_TRIES = 12;

/** Policy reading as text alone: the seen line stands where the picture would be. */
export function readingSample({
  split = 'train',
  maxRules = 8,
  maxVoice = 4,
  maxThings = 6,
  namedShare = NAMED_SHARE,
  plain = false,
  shuffled = false,
  kinds,
  noise,
  groupShare = 0,
}: ReadingStreamOptions = {}): SampleStream {
  return {
    next: (random) => {
      const own = splitRandom(random, 'policy', split);
      const rules = own.chance(0.5) ? maxRules : own.int(1, maxRules);
      const sampled = samplePolicy(own, {
        split,
        rules: [rules, rules],
        voice: [0, maxVoice],
        plain,
        kinds,
        noise,
      });
      const { statements } = sampled;
      const policy = shuffled
        ? layOut(sampleLayout(own, statements.length), own.shuffle(statements))
        : sampled;
      const want = own.chance(BALANCED_SHARE) ? own.pick(['safe', 'unsafe'] as const) : null;
      const asked = { maxThings, namedShare, grouped: groupShare > 0 && own.chance(groupShare) };
      let facts = factsFor(own, policy, asked);
      for (let i = 0; want && i < BALANCING_TRIES && judgeScene(facts, policy).label !== want; i++) {
        facts = factsFor(own, policy, asked);
      }
      return {
        image: null,
        prompt: `${seenLine(facts)}\n${numberedText(policy.statements)}`,
        answer: answerText(facts, policy),
        meta: { ...NO_META, task: 'reading', facts, policy, label: judgeScene(facts, policy).label },
      };
    },
  };
}

/** A policy alone, and what each of its statements rules. */
export function indexSample({
  split = 'train',
  maxRules = 8,
  maxVoice = 4,
}: ReadingStreamOptions = {}): SampleStream {
  return {
    next: (random) => {
      const own = splitRandom(random, 'policy', split);
      const rules = own.chance(0.5) ? maxRules : own.int(1, maxRules);
      const policy = samplePolicy(own, { split, rules: [rules, rules], voice: [0, maxVoice] });
      return {
        image: null,
        prompt: `${INDEX_PROMPT}\n${numberedText(policy.statements)}`,
        answer: indexText(policy.statements),
        meta: { ...NO_META, task: 'index', policy },
      };
    },
  };
}

/**
 * A policy with its statements in any order, and for each category that a statement names the number of the one that
 * decides. Categories that only the default decides are not asked for: they would be most of the answer, and its number
 * is found without looking any word up.
 */
export function locateSample({
  split = 'train',
  maxRules = 8,
  maxVoice = 4,
  plain = false,
  noise,
}: ReadingStreamOptions = {}): SampleStream {
  return {
    next: (random) => {
      const own = splitRandom(random, 'policy', split);
      const rules = own.chance(0.5) ? maxRules : own.int(1, maxRules);
      const { statements } = samplePolicy(own, {
        split,
        rules: [rules, rules],
        voice: [0, maxVoice],
        plain,
        noise,
      });
      const policy = layOut(sampleLayout(own, statements.length), own.shuffle(statements));
      const named = new Set(policy.statements.flatMap(({ rule }) => namedBy(rule)));
      const found = CATEGORIES.filter((category) => named.has(category));
      const asked = found.length > 0 ? found : [own.pick(CATEGORIES)];
      return {
        image: null,
        prompt: `${LOCATE_PROMPT}\n${numberedText(policy.statements)}`,
        answer: locateText(asked, policy.statements),
        meta: { ...NO_META, task: 'locate', policy },
      };
    },
  };
}

/** So many words are asked for at most: many numbers in one answer are a dense signal for how to find one. */
const MAX_WORDS = 16;

/** A policy with its statements in any order, and the numbers of the statements that hold some words. */
export function findWordsSample({
  split = 'train',
  maxRules = 8,
  maxVoice = 4,
}: ReadingStreamOptions = {}): SampleStream {
  return {
    next: (random) => {
      const own = splitRandom(random, 'policy', split);
      const { statements } = samplePolicy(own, { split, rules: [1, maxRules], voice: [1, maxVoice] });
      const policy = layOut(sampleLayout(own, statements.length), own.shuffle(statements));
      const words = own.shuffle(ownWords(policy.statements.map(({ text }) => text))).slice(0, MAX_WORDS);
      return {
        image: null,
        prompt: `${FIND_WORDS_PROMPT} ${words.map(({ word }) => word).join(', ')}\n${numberedText(policy.statements)}`,
        answer: words.map(({ word, number }) => `- ${word} [${number}]`).join('\n'),
        meta: { ...NO_META, task: 'findWords', policy },
      };
    },
  };
}

interface FactsWanted {
  readonly maxThings: number;
  readonly namedShare: number;
  /** Some things are those that a statement on two categories or on a count is about. */
  readonly grouped: boolean;
}

/** A place and things that make a policy's rules matter. */
function factsFor(
  random: Random,
  policy: IconPolicy,
  { maxThings, namedShare, grouped }: FactsWanted,
): SceneFacts {
  const rules = policy.statements.map(({ rule }) => rule);
  const settings = rules.flatMap((rule): readonly Setting[] => ('settings' in rule ? rule.settings : []));
  const named = rules.flatMap(namedShare === 1 ? namedBy : categoriesOf);
  const unnamed = CATEGORIES.filter((category) => !rules.some((rule) => namedBy(rule).includes(category)));
  const thing = (): Icon => {
    if (named.length > 0 && random.chance(namedShare))
      return random.pick(ICONS_BY_CATEGORY[random.pick(named)]);
    return random.chance(0.5) || unnamed.length === 0
      ? random.pick(HARMLESS_ICONS)
      : random.pick(ICONS_BY_CATEGORY[random.pick(unnamed)]);
  };
  const setting = random.chance(NO_SETTING_SHARE)
    ? null
    : random.pick(settings.length > 0 && random.chance(RULED_SETTING_SHARE) ? settings : SETTINGS);
  const group = grouped ? groupThings(random, rules).slice(0, maxThings) : [];
  const others = random.int(group.length === 0 ? 1 : 0, maxThings - group.length);
  return { setting, things: random.shuffle([...group, ...Array.from({ length: others }, thing)]) };
}

/** Things that one of the statements on two categories or on a count is about, broken or just kept; none without one. */
function groupThings(random: Random, rules: readonly Rule[]): Icon[] {
  const own = rules.filter((rule) => rule.kind === 'neverTogether' || rule.kind === 'atMost');
  if (own.length === 0) return [];
  const rule = random.pick(own);
  const categories =
    rule.kind === 'neverTogether'
      ? rule.categories
      : Array.from({ length: rule.count + random.int(0, 1) }, () => rule.category);
  return categories.map((category) => random.pick(ICONS_BY_CATEGORY[category]));
}

export interface JudgementStreamOptions extends StreamOptions {
  readonly maxRules?: number;
  readonly maxVoice?: number;
  /** Share of policies that are one of a boundary pair. 0.25 if absent. */
  readonly boundaryShare?: number;
  /** Share of scenes with a sensitive thing whose label a fair coin chooses; the rest is as it comes. 1 if absent. */
  readonly balancedShare?: number;
  /** The answer is the verdict alone, for the regime `fast`. */
  readonly bare?: boolean;
  /** What is seen is given in words, and there is no picture: the policy alone is left to read. */
  readonly inWords?: boolean;
  /**
   * The policy is written without the picture in mind, as the evaluation's levels are: most of what it rules is about
   * nothing that is there, and labels come as they come.
   */
  readonly unrelated?: boolean;
  /** As in {@link ReadingStreamOptions}. */
  readonly kinds?: KindWeights;
  readonly noise?: number;
}

/** Of the balanced ones so many are unsafe, which makes up for scenes without a sensitive thing: they are always safe. */
const UNSAFE_SHARE = 0.58;

/** A picture under a policy: the model's whole task. */
export function judgementSample(options: JudgementStreamOptions = {}): SampleStream {
  const how = drawing(options);
  const {
    maxRules = 8,
    maxVoice = 4,
    boundaryShare = 0.25,
    balancedShare = 1,
    bare = false,
    inWords = false,
    unrelated = false,
    kinds,
    noise,
  } = options;
  return {
    next: (random) => {
      const scene = drawScene(random, how);
      const facts = factsOf(scene);
      const sensitive = !unrelated && facts.things.some(({ category }) => category !== null);
      const boundary = sensitive && random.chance(boundaryShare);
      const own = splitRandom(random, boundary ? 'pair' : 'policy', how.split);
      const rules = own.chance(0.5) ? maxRules : own.int(Math.min(1, maxRules), maxRules);
      const asked = {
        split: how.split,
        ...(!unrelated && { facts }),
        rules: [rules, rules],
        voice: [0, maxVoice],
        kinds,
        noise,
      } as const;
      const want =
        sensitive && own.chance(balancedShare) ? (own.chance(UNSAFE_SHARE) ? 'unsafe' : 'safe') : undefined;
      const policy = boundary
        ? own.pick(boundaryPair(own, facts, asked))
        : samplePolicy(own, want ? { ...asked, want } : asked);
      const page = numberedText(policy.statements);
      return {
        image: inWords ? null : picture(scene, how),
        prompt: inWords ? `${seenLine(facts)}\n${page}` : page,
        answer: bare ? bareAnswer(facts, policy) : answerText(facts, policy),
        meta: { ...NO_META, task: 'judgement', scene, facts, policy, label: judgeScene(facts, policy).label },
      };
    },
  };
}

export interface QuestionStreamOptions extends StreamOptions {
  readonly kinds?: readonly QuestionKind[];
}

/** A rule question's policy is short: it asks for one lookup. */
const QUESTION_RULES = 4;

/** A picture and a question with a short answer. */
export function questionSample(options: QuestionStreamOptions = {}): SampleStream {
  const how = drawing(options);
  return {
    next: (random) => {
      for (;;) {
        const scene = drawScene(random, how);
        const facts = factsOf(scene);
        const own = splitRandom(random, 'policy', how.split);
        const policy = samplePolicy(own, {
          split: how.split,
          facts,
          rules: [1, QUESTION_RULES],
          voice: [0, 1],
        });
        const question = sampleQuestion(random, scene, {
          policy,
          ...(options.kinds && { kinds: options.kinds }),
        });
        if (!question) continue;
        const meta = {
          ...NO_META,
          task: 'question',
          scene,
          facts,
          policy: question.kind === 'rule' ? policy : null,
          question: question.kind,
        } as const;
        return { image: picture(scene, how), prompt: question.prompt, answer: question.answer, meta };
      }
    },
  };
}

/** A picture that is no IconWorld scene, under any policy. */
export function outOfWorldSample(options: StreamOptions = {}): SampleStream {
  const how = drawing(options);
  return {
    next: (random) => {
      const policy = samplePolicy(splitRandom(random, 'policy', how.split), { split: how.split });
      const own = splitRandom(random, 'scene', how.split);
      return {
        image: how.render ? sampleOutOfWorld(own) : null,
        prompt: numberedText(policy.statements),
        answer: UNKNOWN_PICTURE,
        meta: { ...NO_META, task: 'outOfWorld', policy },
      };
    },
  };
}
