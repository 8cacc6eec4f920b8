/** Questions on a scene with one short answer each (VQA), drawn so that no answer is the safe guess. */
import type { Random } from '../util/random.js';
import { PLACE_NAMES } from './answer.js';
import { factsOf, isPlural, sideOf, withArticle } from './captions.js';
import { ICONS } from './icons.js';
import { judgeScene } from './label.js';
import { numberedText } from './page.js';
import { presentCategories } from './rules.js';
import { CATEGORIES, type Icon, type IconPolicy, type Scene } from './types.js';

export const QUESTION_KINDS = ['count', 'presence', 'place', 'color', 'category', 'setting', 'rule'] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

export interface Question {
  readonly kind: QuestionKind;
  /** The user text; a rule question has the numbered policy before it. */
  readonly prompt: string;
  readonly answer: string;
}

const COUNT_WORDS = ['zero', 'one', 'two', 'three', 'four'];

/** Templates with `#` for what is asked about. */
const ASK = {
  countAll: ['How many things are there?', 'How many things do you see?', 'Count the things.'],
  countCategory: [
    'How many things of the kind # are there?',
    'How many # things do you see?',
    'Count the things of the kind #.',
  ],
  presence: ['Is there #?', 'Do you see #?', 'Does the picture show #?'],
  where: ['Where is the #?', 'On which side is the #?', 'In which part of the picture is the #?'],
  leftmost: ['Which thing is farthest left?', 'What is the leftmost thing?'],
  rightmost: ['Which thing is farthest right?', 'What is the rightmost thing?'],
  color: ['What color is the #?', 'Which color has the #?', 'Name the color of the #.'],
  category: [
    'What kind of thing is the #?',
    'Of which kind is the #?',
    'Is the # harmless, or of which kind?',
  ],
  setting: ['Where is this?', 'Which place is this?', 'In which place are we?'],
  which: [
    'Which statement decides the #?',
    'Which statement is about the #?',
    'Give the number of the statement for the #.',
  ],
  allowed: ['Is the # allowed?', 'May the # be shown here?', 'Do the statements allow the #?'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type Asking = (
  random: Random,
  scene: Scene,
  policy: IconPolicy | null,
) => readonly [prompt: string, answer: string] | null;

const say = (random: Random, templates: readonly string[], about = ''): string =>
  random.pick(templates).replace('#', about);

/** A thing whose name occurs once, so that "the apple" is one thing; null if there is none that `suits`. */
function single(
  random: Random,
  scene: Scene,
  suits: (icon: Icon) => boolean = () => true,
): Scene['things'][number] | null {
  const names = scene.things.map(({ icon }) => icon.name);
  const singles = scene.things.filter(
    ({ icon }) => suits(icon) && names.indexOf(icon.name) === names.lastIndexOf(icon.name),
  );
  return singles.length > 0 ? random.pick(singles) : null;
}

const ASKING: Readonly<Record<QuestionKind, Asking>> = {
  count: (random, scene) => {
    if (random.chance(0.5)) return [say(random, ASK.countAll), COUNT_WORDS[scene.things.length]];
    const present = presentCategories(factsOf(scene));
    const absent = CATEGORIES.filter((category) => !present.includes(category));
    const category = random.pick(present.length > 0 && random.chance(0.7) ? present : absent);
    const count = scene.things.filter(({ icon }) => icon.category === category).length;
    return [say(random, ASK.countCategory, category), COUNT_WORDS[count]];
  },
  presence: (random, scene) => {
    const present = random.chance(0.5);
    const there = scene.things.map(({ icon }) => icon);
    const icon = random.pick(
      present ? there : ICONS.filter((one) => !there.some(({ name }) => name === one.name)),
    );
    return [
      say(random, ASK.presence, withArticle(icon.name)).replace(
        'Is there',
        isPlural(icon.name) ? 'Are there' : 'Is there',
      ),
      present ? 'yes' : 'no',
    ];
  },
  place: (random, scene) => {
    const asked = random.int(0, 2);
    if (asked === 1) return [say(random, ASK.leftmost), scene.things[0].icon.name];
    if (asked === 2) return [say(random, ASK.rightmost), scene.things[scene.things.length - 1].icon.name];
    const thing = single(random, scene);
    return thing && [say(random, ASK.where, thing.icon.name), sideOf(thing, scene.width)];
  },
  color: (random, scene) => {
    const thing = single(random, scene);
    return thing && [say(random, ASK.color, thing.icon.name), thing.icon.color];
  },
  category: (random, scene) => {
    const harmless = random.chance(0.3);
    const thing =
      single(random, scene, ({ category }) => (category === null) === harmless) ?? single(random, scene);
    return thing && [say(random, ASK.category, thing.icon.name), thing.icon.category ?? 'harmless'];
  },
  setting: (random, { setting }) => [
    say(random, ASK.setting),
    setting === null ? 'no place' : PLACE_NAMES[setting],
  ],
  rule: (random, scene, policy) => {
    if (!policy) return null;
    const judged = judgeScene(factsOf(scene), policy).things;
    const wanted = random.chance(0.5);
    const numbers = random.chance(0.5);
    const thing =
      single(
        random,
        scene,
        (icon) =>
          icon.category !== null &&
          judged.some((one) => one.icon.name === icon.name && one.banned === wanted),
      ) ?? single(random, scene);
    const answer = judged.find(({ icon }) => icon.name === thing?.icon.name);
    if (!thing || !answer) return null;
    const question = say(random, numbers ? ASK.which : ASK.allowed, thing.icon.name);
    const short = numbers
      ? answer.number === null
        ? 'none'
        : `[${answer.number}]`
      : answer.banned
        ? 'no'
        : 'yes';
    return [`${numberedText(policy.statements)}\n${question}`, short];
  },
};

/** One question of a random kind of `kinds`; rule questions need a policy. Kinds that the scene cannot answer are passed over. */
export function sampleQuestion(
  random: Random,
  scene: Scene,
  {
    policy = null,
    kinds = QUESTION_KINDS,
  }: { readonly policy?: IconPolicy | null; readonly kinds?: readonly QuestionKind[] } = {},
): Question | null {
  for (const kind of random.shuffle(kinds)) {
    const asked = ASKING[kind](random, scene, policy);
    if (asked) return { kind, prompt: asked[0], answer: asked[1] };
  }
  return null;
}
