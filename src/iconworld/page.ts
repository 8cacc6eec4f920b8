/** How a policy's statements become a page: prose, bullets or sections, with or without a title line. */
import { citableStatements } from '../guard/profiles/iconworld-prompt.js';
import type { Random } from '../util/random.js';
import { namedBy } from './label.js';
import type { Category, IconPolicy, Statement } from './types.js';

type Form = 'prose' | 'bullets' | 'sections';

/** The form of a page without its statements; two pages of one layout differ only in their sentences. */
export interface Layout {
  readonly title: string;
  readonly titled: boolean;
  readonly form: Form;
  /** The index of each statement that starts a paragraph or section, the first one aside. */
  readonly breaks: readonly number[];
}

/** The tiny model's prompt holds no more of a policy (design: IconWorld, "Policy"). */
export const MAX_POLICY_TOKENS = 320;

const TITLES = [
  'House rules',
  'Picture policy',
  'What we show',
  'Rules for pictures',
  'Community guide',
  'Image policy',
  'Our content rules',
  'Page policy',
];

const BLOCK = { shortest: 2, longest: 5 } as const;
const TITLED_SHARE = 0.6;

/** Headings of sections by the first category that is ruled there. */
const THEMES: Readonly<Record<Category, string>> = {
  weapons: 'Violence',
  gore: 'Violence',
  alcohol: 'Health',
  drugs: 'Health',
  gambling: 'Games and money',
  money: 'Games and money',
  religion: 'Belief and opinion',
  politics: 'Belief and opinion',
  romance: 'Feelings',
  monsters: 'Fear',
  disaster: 'Fear',
  insects: 'Nature',
};
const OTHER_THEME = 'General';

export function sampleLayout(random: Random, statements: number): Layout {
  const breaks: number[] = [];
  for (
    let at = random.int(BLOCK.shortest, BLOCK.longest);
    at < statements;
    at += random.int(BLOCK.shortest, BLOCK.longest)
  ) {
    breaks.push(at);
  }
  const form: Form = random.pick(['prose', 'bullets', 'sections']);
  return { title: random.pick(TITLES), titled: random.chance(TITLED_SHARE), form, breaks };
}

/** The page that a person would write; `Policy.fromMarkdown` splits it into exactly these statements. */
export function layOut(layout: Layout, statements: readonly Statement[]): IconPolicy {
  const starts = [0, ...layout.breaks];
  const blocks = starts.map((from, i) => statements.slice(from, starts[i + 1]));
  const bullets = (block: readonly Statement[]): string => block.map(({ text }) => `- ${text}`).join('\n');
  const bodies: Readonly<Record<Form, () => string[]>> = {
    prose: () => blocks.map((block) => block.map(({ text }) => text).join(' ')),
    bullets: () => [bullets(statements)],
    sections: () => blocks.map((block) => `## ${themeOf(block)}\n\n${bullets(block)}`),
  };
  const paragraphs = bodies[layout.form]();
  if (layout.titled) paragraphs.unshift(`# ${layout.title}`);
  return { title: layout.title, statements, text: `${paragraphs.join('\n\n')}\n` };
}

function themeOf(block: readonly Statement[]): string {
  const [category] = block.flatMap(({ rule }) => namedBy(rule));
  return category ? THEMES[category] : OTHER_THEME;
}

/** What the model reads of the page: the prompt of the profile `iconworld`. */
export function numberedText(statements: readonly Pick<Statement, 'text'>[]): string {
  return citableStatements(statements.map(({ text }) => text));
}

/** Words, digits, marks and line ends of the numbered text: at least as many as the tiny tokenizer makes of known words. */
export function estimateTokens(statements: readonly Pick<Statement, 'text'>[]): number {
  return numberedText(statements).match(/[A-Za-z]+|[^\sA-Za-z]|\n/g)?.length ?? 0;
}
