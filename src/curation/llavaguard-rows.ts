/** @module LlavaGuard's columns (AIML-TUDA/LlavaGuard: id, url, policy, category, rating) as what training needs. */
import { Policy } from '../policy/policy.js';
import { UserError } from '../util/errors.js';
import type { Table, TableRow } from './table.js';

/** A row that can be used, but for its picture. */
export interface LabelledRow {
  readonly place: string;
  /** A URL, or a path beside the table. */
  readonly url: string;
  /** The rules alone: without the instructions and the answer's template around them. */
  readonly policy: string;
  readonly label: 'safe' | 'unsafe';
  /** As the data set writes it; null where none applies. */
  readonly category: string | null;
  /** Why, in words; null in tables without that column. */
  readonly rationale: string | null;
}

/** A row that cannot be used, and why. */
export interface RefusedRow {
  readonly place: string;
  readonly reason: string;
}

/** What each column may be called, the names of the published table first. */
const COLUMNS = {
  url: ['url', 'image_url', 'image', 'image_path', 'path'],
  policy: ['policy', 'policy_text'],
  rating: ['rating', 'safety_label', 'label', 'assessment'],
  category: ['category'],
  rationale: ['rationale', 'explanation'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
type Column = keyof typeof COLUMNS;
const NEEDED: readonly Column[] = ['url', 'policy', 'rating'];

/** v1.2's two ratings, and those of the data before it (ml-research/LlavaGuard). Capitals do not count. */
const RATINGS: Readonly<Record<string, LabelledRow['label']>> = {
  safe: 'safe',
  compliant: 'safe',
  unsafe: 'unsafe',
  'review needed': 'unsafe',
};

/** What the category says where none applies. */
const NO_CATEGORY = /^(?:NA\b|none\b|$)/iu;
/** Around the nine blocks of rules stand instructions for an answer in JSON, which other families do not give. */
const FIRST_RULES = /^[ \t#*"'-]{0,40}O1\b/mu;
const BEHIND_RULES =
  /^[ \t#*"'-]{0,40}(?:NA: None applying|Assessment Steps|Output Template|Assessment Template)\b/imu;

/** Sorts a table's rows. @throws UserError where a column is missing, with those that are there. */
export function labelledRows(table: Table): { rows: LabelledRow[]; refused: RefusedRow[] } {
  const names = columnNames(table);
  const [rows, refused]: [LabelledRow[], RefusedRow[]] = [[], []];
  for (const row of table.rows) {
    const sorted = labelledRow(row, names);
    if ('reason' in sorted) refused.push(sorted);
    else rows.push(sorted);
  }
  return { rows, refused };
}

type ColumnNames = Readonly<Partial<Record<Column, string>>>;

function columnNames({ file, columns }: Table): ColumnNames {
  const found = (column: Column): string | undefined =>
    COLUMNS[column].find((name) => columns.includes(name));
  const missing = NEEDED.filter((column) => found(column) === undefined);
  if (missing.length > 0) {
    const wanted = missing.map((column) => COLUMNS[column].join(' or ')).join('; ');
    throw new UserError(`${file} has no column ${wanted}; it has ${columns.join(', ') || 'none'}`);
  }
  return Object.fromEntries(Object.keys(COLUMNS).map((column) => [column, found(column as Column)]));
}

function labelledRow({ place, values }: TableRow, names: ColumnNames): LabelledRow | RefusedRow {
  const text = (column: Column): string => {
    const name = names[column];
    const value = name === undefined ? '' : values[name];
    return typeof value === 'string' ? value.trim() : '';
  };
  const empty = NEEDED.find((column) => text(column) === '');
  if (empty !== undefined) return { place, reason: `${names[empty]} is empty, or no text` };
  const rating = text('rating');
  const known = rating.toLowerCase();
  if (!Object.hasOwn(RATINGS, known)) {
    return {
      place,
      reason: `${names.rating} is ${JSON.stringify(rating)}, none of ${Object.keys(RATINGS).join(', ')}`,
    };
  }
  const policy = rulesOf(text('policy'));
  const wrong = policyProblem(policy);
  if (wrong !== null) return { place, reason: wrong };
  const category = text('category');
  return {
    place,
    url: text('url'),
    policy,
    label: RATINGS[known],
    category: NO_CATEGORY.test(category) ? null : category,
    rationale: text('rationale') || null,
  };
}

/** The blocks from O1 on, up to what is no rule; the whole text where there are no such blocks. */
function rulesOf(policy: string): string {
  const from = policy.search(FIRST_RULES);
  const rules = policy.slice(Math.max(0, from));
  const to = rules.search(BEHIND_RULES);
  return (to > 0 ? rules.slice(0, to) : rules).trim();
}

/** Why no policy can be made of it; null where one can. */
function policyProblem(policy: string): string | null {
  try {
    Policy.fromMarkdown(policy, { source: 'the policy' });
    return null;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}
