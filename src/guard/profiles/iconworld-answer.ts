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

const OPEN = '<think>';
const CLOSE = '</think><answer>';
const WORDS = { yes: 'safe', no: 'unsafe' } as const;
const SEEN = /^(?:No place|(?:In|On|At) (?:an? )?([a-z]+)): (.+)\.$/;
const THING = /^([a-z]+) \[(\d{1,3})\] "/;
const TOGETHER = /^([a-z]+) \+ ([a-z]+) \[(\d{1,3})\] "/;
const AT_MOST = /^([a-z]+): (\d{1,2}) \[(\d{1,3})\] "/;

const invalid = (kind: 'unknown' | 'malformed'): IconworldAnswer => ({
  kind,
  verdict: 'invalid',
  setting: null,
  things: [],
  groups: [],
  violatedRule: null,
});

/**
 * Reads a completion of an IconWorld model, in time linear in its length. Surrounding white space is ignored; anything else that departs
 * from the format, such as a thing that is named but never judged, makes the whole answer malformed. Never throws.
 */
export function parseIconworldAnswer(completion: string): IconworldAnswer {
  const text = completion.trim();
  if (text === UNKNOWN_PICTURE) return invalid('unknown');
  const word = (['yes', 'no'] as const).find((one) => text.endsWith(`${CLOSE}${one}</answer>`));
  if (word === undefined || !text.startsWith(OPEN)) return invalid('malformed');
  const [first, ...lines] = text.slice(OPEN.length, text.lastIndexOf(CLOSE)).split('\n');
  const [, setting, list] = SEEN.exec(first) ?? [];
  if (list === undefined) return invalid('malformed');
  const names = list.split(', ');
  if (lines.length < names.length) return invalid('malformed');
  const things = names.map((name, index) => readThing(lines[index], name));
  const groups = lines.slice(names.length).map(readGroup);
  const judged = things.filter((thing) => thing !== null);
  const checked = groups.filter((group) => group !== null);
  if (judged.length < things.length || checked.length < groups.length) return invalid('malformed');
  return {
    kind: 'judged',
    verdict: WORDS[word],
    setting: setting ?? null,
    things: judged,
    groups: checked,
    violatedRule: lowestBroken(judged, checked),
  };
}

/** The line about the thing of that name. */
function readThing(line: string, name: string): AnsweredThing | null {
  if (!line.startsWith(`${name}: `)) return null;
  const said = line.slice(name.length + 2);
  if (said === 'harmless') return { name, category: null, citation: null };
  const [start, category, number] = THING.exec(said) ?? [];
  const citation = start === undefined ? null : citationOf(said.slice(start.length), number, STATUSES.thing);
  return citation === null ? null : { name, category, citation };
}

function readGroup(line: string): AnsweredGroup | null {
  const [together, a, b, togetherNumber] = TOGETHER.exec(line) ?? [];
  const [atMost, category, count, atMostNumber] = AT_MOST.exec(line) ?? [];
  const start = together ?? atMost;
  if (start === undefined) return null;
  const citation = citationOf(line.slice(start.length), togetherNumber ?? atMostNumber, STATUSES.group);
  if (citation === null) return null;
  return together === undefined
    ? { categories: [category], count: Number(count), citation }
    : { categories: [a, b], count: null, citation };
}

const STATUSES = { thing: ['banned', 'allowed'], group: ['broken', 'kept'] } as const;

/** `quotation" status` to the end of a line; null where it is not that. */
function citationOf<Status extends string>(
  rest: string,
  number: string,
  statuses: readonly Status[],
): Citation<Status> | null {
  const status = statuses.find((one) => rest.endsWith(`" ${one}`));
  if (status === undefined) return null;
  const quote = rest.slice(0, -`" ${status}`.length);
  return quote === '' ? null : { number: Number(number), quote, status };
}

function lowestBroken(things: readonly AnsweredThing[], groups: readonly AnsweredGroup[]): number | null {
  const numbers = [
    ...things.flatMap(({ citation }) => (citation?.status === 'banned' ? [citation.number] : [])),
    ...groups.flatMap(({ citation }) => (citation.status === 'broken' ? [citation.number] : [])),
  ];
  return numbers.length > 0 ? Math.min(...numbers) : null;
}
