/** @module From measured rounds to the figures and the table. */
import { formatSpread, median, type Spread, spread, table } from '../shared/report.js';
import type { GenerateResult } from './jobs.js';

export const OURS = 'safeguard-vl';
export const TRANSFORMERS = 'transformers sdpa';

export interface SideFigures {
  readonly side: string;
  readonly tokensPerSecond: Spread;
  readonly decodeTokensPerSecond: Spread;
  readonly firstTokenMilliseconds: Spread;
  readonly peakMib: number;
  /** Our tokens/s relative to this side's, round by round. */
  readonly oursRelative: Spread;
  /** Share of the new tokens that are ours, place by place. */
  readonly equalTokens: number;
  /** Share of the rows of which all tokens are ours. */
  readonly equalRows: number;
}

export interface BatchFigures {
  readonly batch: number;
  readonly promptTokens: number;
  readonly sides: readonly SideFigures[];
}

function share(flags: readonly boolean[]): number {
  return flags.filter(Boolean).length / flags.length;
}

export function batchFigures(
  batch: number,
  newTokens: number,
  promptTokens: number,
  results: ReadonlyMap<string, readonly GenerateResult[]>,
): BatchFigures {
  const ours = results.get(OURS) ?? [];
  const total = (result: GenerateResult): number => median(result.allTokens);
  const sides = [...results].map(([side, rounds]): SideFigures => {
    const same = rounds[0].tokens.map((row, i) => row.map((id, j) => id === ours[0].tokens[i][j]));
    const decode = (result: GenerateResult): number =>
      (1000 * batch * (newTokens - 1)) / (total(result) - median(result.firstToken));
    return {
      side,
      tokensPerSecond: spread(rounds.map((result) => (1000 * batch * newTokens) / total(result))),
      decodeTokensPerSecond: spread(rounds.map(decode)),
      firstTokenMilliseconds: spread(rounds.map(({ firstToken }) => median(firstToken))),
      peakMib: Math.max(...rounds.map(({ peakMib }) => peakMib)),
      oursRelative: spread(rounds.map((result, round) => total(result) / total(ours[round]))),
      equalTokens: share(same.flat()),
      equalRows: share(same.map((row) => row.every(Boolean))),
    };
  });
  return { batch, promptTokens, sides };
}

const HEAD = [
  'batch (prompt tokens)',
  'side',
  'tokens/s',
  'decode tokens/s',
  'first token ms',
  'peak RSS MiB',
  'ours / this (min–max)',
  'tokens equal',
  'rows equal',
];

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

export function generationTable(batches: readonly BatchFigures[]): string {
  const rows = batches.flatMap(({ batch, promptTokens, sides }) =>
    sides.map((figures) => [
      `${batch} (${promptTokens})`,
      figures.side,
      figures.tokensPerSecond.median.toFixed(0),
      figures.decodeTokensPerSecond.median.toFixed(0),
      figures.firstTokenMilliseconds.median.toFixed(0),
      String(figures.peakMib),
      ...(figures.side === OURS
        ? ['', '', '']
        : [formatSpread(figures.oursRelative, 2), percent(figures.equalTokens), percent(figures.equalRows)]),
    ]),
  );
  return table(HEAD, rows);
}
