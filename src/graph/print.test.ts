import { describe, expect, it } from 'vitest';
import { attention } from './composites.js';
import * as op from './ops.js';
import { printGraph } from './print.js';

describe('printGraph', () => {
  it('prints a node a line, numbered within the graph', () => {
    const x = op.input('x', 'f32', ['batch', 'seq', 256]);
    const weight = op.parameter('weight', [256, 8]);
    const y = op.slice(op.matmul(x, weight), -1, 0, 4);
    expect(printGraph([y, x])).toBe(
      [
        '%0 f32[batch, seq, 256] = input() {name: "x"}',
        '%1 f32[256, 8] = parameter() {name: "weight"}',
        '%2 f32[batch, seq, 8] = matmul(%0, %1)',
        '%3 f32[batch, seq, 4] = slice(%2) {axis: 2, start: 0, end: 4}',
        'return %3, %0',
      ].join('\n'),
    );
  });

  it('cuts long constants short', () => {
    const numbers = op.constant('i64', [6], BigInt64Array.from([1n, 2n, 3n, 4n, 5n, 6n]));
    expect(printGraph([numbers])).toContain('%0 i64[6] = constant() {data: [1, 2, 3, 4, … 6 elements]}');
    expect(printGraph([op.scalar(0.5)])).toContain('%0 f32[] = constant() {data: [0.5]}');
  });

  it('prints what no attribute of the result says', () => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => op.input(name, 'f32', [1, 1, 2, 4]));
    expect(printGraph([attention(q, k, v)])).toContain('= attention(%0, %1, %2) {scale: 0.5}');
    expect(printGraph([op.reshape(q, [2, 4])])).toContain('%1 f32[2, 4] = reshape(%0)\n');
  });

  it('tells the outputs of one node apart', () => {
    const f32 = (name: string, shape: number[]) => op.input(name, 'f32', shape);
    const { output, values } = op.groupQueryAttention({
      query: f32('query', [1, 1, 8]),
      key: f32('key', [1, 1, 4]),
      value: f32('value', [1, 1, 4]),
      cachedKeys: f32('keys', [1, 1, 3, 4]),
      cachedValues: f32('values', [1, 1, 3, 4]),
      lastIndex: op.input('lastIndex', 'i32', [1]),
      total: op.input('total', 'i32', []),
      heads: 2,
      kvHeads: 1,
    });
    expect(printGraph([output, values])).toContain(
      '%7.0 f32[1, 1, 8], %7.1 f32[1, 1, 3, 4], %7.2 f32[1, 1, 3, 4] = groupQueryAttention(%0, %1, %2, %3, %4, %5, %6) ' +
        '{heads: 2, kvHeads: 1}\nreturn %7.0, %7.2',
    );
  });
});
