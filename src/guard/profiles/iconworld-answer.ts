/**
 * The answer format of the IconWorld models: what is seen, what each thing's deciding statement says, the verdict.
 * Reading only; `iconworld/answer.ts` writes it. Nothing is guessed: what does not follow the format is `invalid`.
 */

/** A statement that the answer cites: its number, the words it quotes, and what it says follows. */
export interface Citation<Status extends string> {
  readonly number: number;
  readonly quote: string;
  readonly status: Status;
}

/** One thing of the picture; a harmless one has neither category nor citation. */
export interface AnsweredThing {
  readonly name: string;
  readonly category: string | null;
  readonly citation: Citation<'banned' | 'allowed'> | null;
}

/** A never-together (two categories) or at-most statement (one category and how many are seen). */
export interface AnsweredGroup {
  readonly categories: readonly string[];
  /** How many things of the category are said to be there; null for never-together. */
  readonly count: number | null;
  readonly citation: Citation<'broken' | 'kept'>;
}

export interface IconworldAnswer {
  /** `unknown`: the model says that it does not know such pictures; `malformed`: not the format. Both mean `invalid`. */
  readonly kind: 'judged' | 'unknown' | 'malformed';
  readonly verdict: 'safe' | 'unsafe' | 'invalid';
  /** The place as the answer says it ("school"), null where it says there is none. */
  readonly setting: string | null;
  readonly things: readonly AnsweredThing[];
  readonly groups: readonly AnsweredGroup[];
  /** The lowest-numbered statement said to be broken or to ban something; null if none is. */
  readonly violatedRule: number | null;
}

/** The answer to a picture that is no IconWorld scene. */
export const UNKNOWN_PICTURE = '<think>This is not a picture I know.</think>';

const ANSWER = /^<think>([\s\S]*)<\/think><answer>(yes|no)<\/answer>$/;
const SEEN = /^(?:No place|(?:In|On|At) (?:an? )?([a-z]+)): (.+)\.$/;
const HARMLESS = /^(.+): harmless$/;
const THING = /^(.+?): ([a-z]+) \[(\d{1,3})\] "(.+)" (banned|allowed)$/;
const TOGETHER = /^([a-z]+) \+ ([a-z]+) \[(\d{1,3})\] "(.+)" (broken|kept)$/;
const AT_MOST = /^([a-z]+): (\d{1,2}) \[(\d{1,3})\] "(.+)" (broken|kept)$/;

const invalid = (kind: 'unknown' | 'malformed'): IconworldAnswer => ({
  kind,
  verdict: 'invalid',
  setting: null,
  things: [],
  groups: [],
  violatedRule: null,
});

/**
 * Reads a completion of an IconWorld model. Surrounding white space is ignored; anything else that departs from the format,
 * such as a thing that is named but never judged, makes the whole answer malformed. Never throws.
 */
export function parseIconworldAnswer(completion: string): IconworldAnswer {
  const text = completion.trim();
  if (text === UNKNOWN_PICTURE) return invalid('unknown');
  const [, think, answer] = ANSWER.exec(text) ?? [];
  if (think === undefined) return invalid('malformed');
  const [first, ...lines] = think.split('\n');
  const [, setting, list] = SEEN.exec(first) ?? [];
  if (list === undefined) return invalid('malformed');
  const names = list.split(', ');
  const things = lines.slice(0, names.length).map(readThing);
  const groups = lines.slice(names.length).map(readGroup);
  const judged = things.filter((thing) => thing !== null);
  const checked = groups.filter((group) => group !== null);
  const complete =
    judged.length === names.length && names.every((name, index) => name === judged[index].name);
  if (!complete || checked.length < groups.length) return invalid('malformed');
  return {
    kind: 'judged',
    verdict: answer === 'yes' ? 'safe' : 'unsafe',
    setting: setting ?? null,
    things: judged,
    groups: checked,
    violatedRule: lowestBroken(judged, checked),
  };
}

function readThing(line: string): AnsweredThing | null {
  const [, harmless] = HARMLESS.exec(line) ?? [];
  if (harmless !== undefined) return { name: harmless, category: null, citation: null };
  const [, name, category, number, quote, status] = THING.exec(line) ?? [];
  if (name === undefined) return null;
  return {
    name,
    category,
    citation: { number: Number(number), quote, status: status === 'banned' ? 'banned' : 'allowed' },
  };
}

function readGroup(line: string): AnsweredGroup | null {
  const [, a, b, togetherNumber, togetherQuote, togetherStatus] = TOGETHER.exec(line) ?? [];
  if (a !== undefined) {
    return {
      categories: [a, b],
      count: null,
      citation: groupCitation(togetherNumber, togetherQuote, togetherStatus),
    };
  }
  const [, category, count, number, quote, status] = AT_MOST.exec(line) ?? [];
  if (category === undefined) return null;
  return { categories: [category], count: Number(count), citation: groupCitation(number, quote, status) };
}

const groupCitation = (number: string, quote: string, status: string): Citation<'broken' | 'kept'> => ({
  number: Number(number),
  quote,
  status: status === 'broken' ? 'broken' : 'kept',
});

function lowestBroken(things: readonly AnsweredThing[], groups: readonly AnsweredGroup[]): number | null {
  const numbers = [
    ...things.flatMap(({ citation }) => (citation?.status === 'banned' ? [citation.number] : [])),
    ...groups.flatMap(({ citation }) => (citation.status === 'broken' ? [citation.number] : [])),
  ];
  return numbers.length > 0 ? Math.min(...numbers) : null;
}
