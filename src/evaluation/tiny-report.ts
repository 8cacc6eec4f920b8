/** @module The evaluation as tables to read. */
import { accuracy, binaryF1, type Estimate, mean, shareOf } from './metrics.js';
import { f1ByLevel, type Outcome, TINY_METRICS, type TinyEvaluation, type TinyMetric } from './tiny-eval.js';
import { type Part, PARTS } from './tiny-items.js';

/** What the shipped model should reach with N = 2000, and what each number says. */
const MEANING: Readonly<Record<TinyMetric, readonly [floor: string, meaning: string]>> = {
  levelsF1: ['≥ 0.90', 'mean over L1–L5 of F1 (unsafe)'],
  freeF1: ['≥ 0.90', 'F1 (unsafe) of free policies'],
  pss: ['≥ 0.80', 'pairs of levels with different labels, both right'],
  invalid: ['≤ 0.01', 'answers that cannot be read'],
  named: ['≥ 0.97', 'things named right'],
  quoted: ['≥ 0.90', 'sensitive things with number and quotation right'],
  unseenStyleF1: ['', 'F1 (unsafe), drawn in Noto'],
  newWordsF1: ['', 'F1 (unsafe), policies in unseen words'],
};

const PART_NAMES: Readonly<Record<Part, string>> = {
  free: 'free',
  levels: 'levels',
  unseenStyle: 'unseen style',
  newWords: 'new words',
};

const number = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
const percent = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(1)} %`);

/** Rows with columns as wide as their widest cell; the first to the left, the others to the right unless they end the row. */
function table(rows: readonly (readonly string[])[], { textLast = false } = {}): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const isText = column === 0 || (textLast && column === row.length - 1);
        return isText ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Everything there is to read before the last line. */
export function tinyReport(evaluation: TinyEvaluation): string {
  const { pictures, metrics, seed, limit } = evaluation;
  const outcomes = Object.fromEntries(PARTS.map((part) => [part, pictures[part].flat()]));
  const judged = [...pictures.free.flat(), ...pictures.levels.flat()];
  return [
    `IconWorld: ${limit} judgements, ${pictures.free.length + pictures.levels.length} scenes, seed ${seed}`,
    '',
    ...table(
      [
        ['metric', 'value', '95 % interval', 'floor', ''],
        ...TINY_METRICS.map((name) => metricRow(name, metrics[name])),
      ],
      {
        textLast: true,
      },
    ),
    '',
    'Confusion (unsafe is positive; an invalid answer counts as wrong)',
    ...table([
      [
        'part',
        'n',
        'unsafe → unsafe',
        '→ safe',
        '→ invalid',
        'safe → safe',
        '→ unsafe',
        '→ invalid',
        'accuracy',
        'F1',
      ],
      ...PARTS.map((part) => confusionRow(PART_NAMES[part], outcomes[part])),
      ...levelRows(evaluation),
    ]),
    '',
    'Verdicts right by number of ruling statements (free policies)',
    ...table(rulesRows(outcomes.free)),
    '',
    'Diagnostics',
    ...table([
      ['', ...PARTS.map((part) => PART_NAMES[part]), 'all N'],
      ...diagnosticRows(
        PARTS.map((part) => outcomes[part]),
        judged,
      ),
    ]),
  ].join('\n');
}

function metricRow(name: TinyMetric, { value, low, high }: Estimate): string[] {
  const [floor, meaning] = MEANING[name];
  return [name, number(value), `${number(low)} … ${number(high)}`, floor, meaning];
}

function confusionRow(name: string, outcomes: readonly Outcome[]): string[] {
  const count = (label: Outcome['label'], verdict: Outcome['verdict']): string =>
    String(outcomes.filter((one) => one.label === label && one.verdict === verdict).length);
  return [
    name,
    String(outcomes.length),
    count('unsafe', 'unsafe'),
    count('unsafe', 'safe'),
    count('unsafe', 'invalid'),
    count('safe', 'safe'),
    count('safe', 'unsafe'),
    count('safe', 'invalid'),
    number(accuracy(outcomes)),
    number(binaryF1(outcomes)),
  ];
}

function levelRows({ pictures }: TinyEvaluation): string[][] {
  return f1ByLevel(pictures.levels).map((_, index) =>
    confusionRow(
      `  L${index + 1}`,
      pictures.levels.flat().filter(({ item }) => item.level === index + 1),
    ),
  );
}

const rulingStatements = ({ item }: Outcome): number =>
  item.policy.statements.filter(({ rule }) => rule.kind !== 'voice').length;

function rulesRows(outcomes: readonly Outcome[]): string[][] {
  const numbers = [...new Set(outcomes.map(rulingStatements))].toSorted((a, b) => a - b);
  const groups = numbers.map((rules) => outcomes.filter((outcome) => rulingStatements(outcome) === rules));
  return [
    ['statements', ...numbers.map(String)],
    ['judgements', ...groups.map((group) => String(group.length))],
    ['right', ...groups.map((group) => percent(accuracy(group)))],
  ];
}

/** Name and value on some judgements; null where there is nothing to count. */
const DIAGNOSTICS: readonly (readonly [string, (outcomes: readonly Outcome[]) => number | null])[] = [
  ['things named right', (outcomes) => shareOf(outcomes.map(({ named }) => named))],
  ['setting right', (outcomes) => mean(outcomes.map(({ setting }) => Number(setting)))],
  ['number and quotation right', (outcomes) => shareOf(outcomes.map(({ quoted }) => quoted))],
  ['status of things right', (outcomes) => shareOf(outcomes.map(({ status }) => status))],
  ['together lines right', (outcomes) => shareOf(outcomes.map(({ together }) => together))],
  ['at-most lines right', (outcomes) => shareOf(outcomes.map(({ atMost }) => atMost))],
  ['answers with a line too many', (outcomes) => mean(outcomes.map(({ spurious }) => Number(spurious > 0)))],
  [
    'answers right to the letter',
    (outcomes) => mean(outcomes.map(({ item, given }) => Number(given.trim() === item.answer))),
  ],
  ['invalid', (outcomes) => mean(outcomes.map(({ verdict }) => Number(verdict === 'invalid')))],
  // What a user of the profile sees: the metrics above are the model's own, before its grounds are checked.
  ['invalid by its grounds', (outcomes) => mean(outcomes.map(({ refused }) => Number(refused)))],
  [
    'right and refused by its grounds',
    (outcomes) => mean(outcomes.map(({ refused, verdict, label }) => Number(refused && verdict === label))),
  ],
];

function diagnosticRows(parts: readonly (readonly Outcome[])[], all: readonly Outcome[]): string[][] {
  return DIAGNOSTICS.map(([name, value]) => [
    name,
    ...[...parts, all].map((outcomes) => percent(value(outcomes))),
  ]);
}
