/** @module IconWorld as a training stream: a mixture of tasks, with policies that grow longer over the run. */
import { MARK_WORDS, marksOf } from '../iconworld/marks.js';
import { loadIcons } from '../iconworld/raster.js';
import {
  captionSample,
  findWordsSample,
  indexSample,
  judgementSample,
  locateSample,
  outOfWorldSample,
  questionSample,
  readingSample,
  type SampleStream,
} from '../iconworld/samples.js';
import type { Split } from '../iconworld/splits.js';
import type { KindWeights } from '../iconworld/rules.js';
import { UserError } from '../util/errors.js';
import { Random } from '../util/random.js';
import type { SampleSource, TrainingSample } from './examples.js';

interface StreamPlace {
  /** The most ruling statements besides the default that a policy may have at this point of the run. */
  readonly maxRules: number;
  /** Whose scenes, policies and phrasings are drawn. */
  readonly split: Split;
}

type StreamFactory = (place: StreamPlace) => SampleStream;

/** Of training's policies so many have words strewn in: what they say must be read, it cannot be guessed. */
const NOISE = 0.4;
/** Pages of the evaluation's levels have more voice than free policies. */
const LONG_VOICE = 8;

const GROUP_KINDS: KindWeights = [
  ['ban', 14],
  ['allow', 14],
  ['onlyIn', 8],
  ['neverIn', 8],
  ['neverTogether', 28],
  ['atMost', 28],
];
const CONDITION_KINDS: KindWeights = [
  ['ban', 6],
  ['allow', 6],
  ['onlyIn', 42],
  ['neverIn', 42],
  ['neverTogether', 2],
  ['atMost', 2],
];

/** Places alone: what a place rules is compared with where the scene is. */
const PLACE_KINDS: KindWeights = [
  ['onlyIn', 1],
  ['neverIn', 1],
];
const ONLY_IN: KindWeights = [['onlyIn', 1]];

/** The tasks a configuration may mix, by the names it uses. */
const TASKS: Readonly<Record<string, StreamFactory>> = {
  caption: ({ split }) => captionSample({ split }),
  /** One thing a picture: the quickest way from nothing to telling things apart. */
  caption_one: ({ split }) => captionSample({ split, longShare: 0, scene: { count: 1 } }),
  /** The first line of an answer: the place, and the things in reading order. */
  caption_list: ({ split }) => captionSample({ split, longShare: 0 }),
  /** The same for four things, whose order is the hardest. */
  caption_list_crowded: ({ split }) => captionSample({ split, longShare: 0, scene: { count: 4 } }),
  /** Four things a picture: the most signal a picture where each is marked. */
  caption_crowded: ({ split }) => captionSample({ split, scene: { count: 4 } }),
  suppressed_caption: ({ split }) => captionSample({ split, suppressed: true }),
  reading: ({ maxRules, split }) => readingSample({ split, maxRules, noise: NOISE }),
  /** Pages as long as the longest of the evaluation. */
  reading_long: ({ maxRules, split }) =>
    readingSample({ split, maxRules, maxVoice: LONG_VOICE, maxThings: 4, noise: NOISE }),
  /** Statements on two categories and on counts, and things that they are about. */
  reading_groups: ({ maxRules, split }) =>
    readingSample({ split, maxRules, kinds: GROUP_KINDS, groupShare: 0.75, maxThings: 5, noise: NOISE }),
  /** Statements with places, for things that they name. */
  reading_conditions: ({ maxRules, split }) =>
    readingSample({ split, maxRules, kinds: CONDITION_KINDS, namedShare: 1, maxThings: 5, noise: NOISE }),
  /** Nothing but statements with places. With one kind alone a status is one comparison; with both it is its parity with the kind. */
  reading_places: ({ maxRules, split }) =>
    readingSample({
      split,
      maxRules,
      kinds: PLACE_KINDS,
      namedShare: 1,
      maxThings: 5,
      maxVoice: 2,
      noise: NOISE,
    }),
  reading_only_in: ({ maxRules, split }) =>
    readingSample({
      split,
      maxRules,
      kinds: ONLY_IN,
      namedShare: 1,
      maxThings: 5,
      maxVoice: 2,
      noise: NOISE,
    }),
  /** No thing is named by a statement and the default stands anywhere: which number does a statement have? */
  find_default: ({ maxRules, split }) =>
    readingSample({ split, maxRules, namedShare: 0, maxThings: 2, maxVoice: 2, plain: true, shuffled: true }),
  /** Every thing is named by a statement, by its plain name: which statement names it? */
  lookup_plain: ({ maxRules, split }) =>
    readingSample({ split, maxRules, namedShare: 1, maxThings: 3, maxVoice: 2, plain: true, shuffled: true }),
  /** The same in all words. */
  lookup: ({ maxRules, split }) =>
    readingSample({
      split,
      maxRules,
      namedShare: 1,
      maxThings: 4,
      maxVoice: 2,
      shuffled: true,
      noise: NOISE,
    }),
  index: ({ maxRules, split }) => indexSample({ split, maxRules }),
  /** Which statement has a word: the circuit that the lookups need, with a dense signal. */
  find_words: ({ maxRules, split }) => findWordsSample({ split, maxRules }),
  /** The number alone, of the statement that decides about a category: by plain names, then in all words. */
  locate_plain: ({ maxRules, split }) =>
    locateSample({ split, maxRules, maxVoice: Math.min(2, maxRules - 1), plain: true }),
  locate: ({ maxRules, split }) => locateSample({ split, maxRules, noise: NOISE }),
  judgement: ({ maxRules, split }) => judgementSample({ split, maxRules, noise: NOISE }),
  judgement_groups: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, kinds: GROUP_KINDS, noise: NOISE }),
  judgement_conditions: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, kinds: CONDITION_KINDS, noise: NOISE }),
  judgement_long: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, noise: NOISE }),
  /** Pages that were not written for the picture: when does a statement on two categories, or on a count, say nothing? */
  judgement_unrelated: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, noise: NOISE, unrelated: true }),
  judgement_unrelated_groups: ({ maxRules, split }) =>
    judgementSample({
      split,
      maxRules,
      maxVoice: LONG_VOICE,
      kinds: GROUP_KINDS,
      noise: NOISE,
      unrelated: true,
    }),
  /** Both kinds of pages for pictures of four things, whose names are the hardest to list. */
  judgement_crowded: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, noise: NOISE, scene: { count: 4 } }),
  judgement_unrelated_crowded: ({ maxRules, split }) =>
    judgementSample({
      split,
      maxRules,
      maxVoice: LONG_VOICE,
      noise: NOISE,
      unrelated: true,
      scene: { count: 4 },
    }),
  /** The same without pictures: readings of which half of the conditions name the place. */
  judgement_words: ({ maxRules, split }) => judgementSample({ split, maxRules, noise: NOISE, inWords: true }),
  judgement_words_groups: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, kinds: GROUP_KINDS, noise: NOISE, inWords: true }),
  judgement_words_conditions: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, kinds: CONDITION_KINDS, noise: NOISE, inWords: true }),
  judgement_words_unrelated: ({ maxRules, split }) =>
    judgementSample({
      split,
      maxRules,
      maxVoice: LONG_VOICE,
      kinds: GROUP_KINDS,
      noise: NOISE,
      inWords: true,
      unrelated: true,
    }),
  judgement_words_long: ({ maxRules, split }) =>
    judgementSample({ split, maxRules, maxVoice: LONG_VOICE, noise: NOISE, inWords: true }),
  /** The verdict at once, without reasons. */
  verdict: ({ maxRules, split }) => judgementSample({ split, maxRules, bare: true, noise: NOISE }),
  question: ({ split }) => questionSample({ split }),
  out_of_world: ({ split }) => outOfWorldSample({ split }),
};

export interface IconworldMixture {
  readonly tasks: Readonly<Record<string, number>>;
  /** [share of the run, maxRules from there on], ascending. */
  readonly curriculum: readonly (readonly [number, number])[];
  readonly seed: number;
  /** Samples of the whole run, which the curriculum's shares are of. */
  readonly total: number;
}

/** Every sample is drawn from a seed of its own, so the stream has no state. */
export async function iconworldSource({
  tasks,
  curriculum,
  seed,
  total,
}: IconworldMixture): Promise<SampleSource> {
  const unknown = Object.keys(tasks).filter((task) => !Object.hasOwn(TASKS, task));
  if (unknown.length > 0) {
    throw new UserError(
      `Unknown IconWorld task '${unknown[0]}' in data.tasks: choose among ${Object.keys(TASKS).join(', ')}.`,
    );
  }
  const weighted = Object.entries(tasks).filter(([, weight]) => weight > 0);
  if (weighted.length === 0)
    throw new UserError('data.tasks gives no task a weight above 0: name at least one.');
  await loadIcons();
  const streams = new Map<string, SampleStream>();
  const streamOf = (task: string, place: StreamPlace): SampleStream => {
    const key = `${place.split}/${task}/${place.maxRules}`;
    const known = streams.get(key) ?? TASKS[task](place);
    streams.set(key, known);
    return known;
  };
  const drawn = (random: Random, place: StreamPlace): Promise<TrainingSample> => {
    const task = random.weighted(weighted);
    const { image, prompt, answer, meta } = streamOf(task, place).next(random);
    const images = image === null ? [] : [image];
    const marks = meta.scene === null ? undefined : marksOf(meta.scene);
    return Promise.resolve({ images, prompt, answer, task, marks });
  };
  const most = Math.max(...curriculum.map(([, maxRules]) => maxRules));
  return {
    sample(index) {
      const share = index / total;
      const maxRules = curriculum.filter(([from]) => from <= share).at(-1)?.[1] ?? curriculum[0][1];
      return drawn(new Random(`${seed}/iconworld/${index}`), { maxRules, split: 'train' });
    },
    vocabulary: MARK_WORDS,
    /** Scenes, policies and phrasings of the validation split, in the same mixture, with policies as long as they ever get. */
    heldOut: (count) =>
      Promise.resolve({
        count,
        sample: (index) =>
          drawn(new Random(`${seed}/iconworld-held-out/${index}`), { maxRules: most, split: 'validation' }),
        vocabulary: MARK_WORDS,
      }),
  };
}
