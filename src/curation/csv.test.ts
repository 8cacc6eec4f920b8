import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.js';

const fieldsOf = (text: string) => parseCsv(text, 'a.csv').map(({ fields }) => fields);

/** "read", or why it is not. */
function outcomeOf(text: string): string {
  try {
    parseCsv(text, 'a.csv');
    return 'read';
  } catch (error) {
    return String(error);
  }
}

describe('parseCsv', () => {
  it.each<[string, string[][]]>([
    ['', []],
    [
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,\r\n,2',
      [
        ['a', 'b'],
        ['1', ''],
        ['', '2'],
      ],
    ],
    ['a\n\n\n1\n', [['a'], ['1']]],
    [
      'a,b\n"x, ""y""","line\nbreak"\n',
      [
        ['a', 'b'],
        ['x, "y"', 'line\nbreak'],
      ],
    ],
    [
      'a,b\n1,',
      [
        ['a', 'b'],
        ['1', ''],
      ],
    ],
    ['a\rb\r', [['a'], ['b']]],
  ])('%j', (text, expected) => {
    expect(fieldsOf(text)).toEqual(expected);
  });

  it('tells the line that a record begins in', () => {
    const text = 'a,b\n"1\n2\r\n3",x\n\n4,5\n';
    expect(parseCsv(text, 'a.csv').map(({ line }) => line)).toEqual([1, 2, 6]);
  });

  it.each<[string, string]>([
    ['a,b\n1,"2\n3,4\n', 'a.csv, line 2: a quote that opens here is never closed'],
    ['a,b\n"1\n2"x,3', 'a.csv, line 3: there is text beside a quoted field'],
    ['a,b\n"1\r\n2","\r\n"x', 'a.csv, line 4: there is text beside a quoted field'],
    ['a,b\n1,"""', 'a.csv, line 2: a quote that opens here is never closed'],
    ['a,b\n1,x"y"', 'a.csv, line 2: there is text beside a quoted field'],
    ['a,b\n"1\n1",2\n1,2,3\n', 'a.csv, line 4 has 3 fields, and the header has 2'],
    ['a,b\n1\n', 'a.csv, line 2 has 1 fields, and the header has 2'],
  ])('refuses %j', (text, message) => {
    expect(() => parseCsv(text, 'a.csv')).toThrow(message);
  });

  it('reads back whatever was written with quotes', () => {
    const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
    const table = fc.array(
      fc.tuple(fc.string({ unit: 'grapheme' }), fc.constantFrom('', ',', '"\n', '\r\n')),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(table, (rows) => {
        expect(fieldsOf(rows.map((row) => row.map(quoted).join(',')).join('\n'))).toEqual(rows);
      }),
    );
  });

  it('stops at a field and at a record that no table has', () => {
    expect(() => parseCsv(`a\n"${'x'.repeat(1_000_001)}"`, 'a.csv')).toThrow(
      'a.csv, line 2: a field of 1000001 characters; 1000000 are the most',
    );
    expect(() => parseCsv(','.repeat(20_000), 'a.csv')).toThrow('a.csv, line 1 has more than 10000 fields');
  });

  it.each<[string, (count: number) => string, string]>([
    ['line breaks in a field', (count) => `a,b\n"${'\n'.repeat(count)}",x\n`, 'read'],
    ['pairs of line breaks in a field', (count) => `a,b\n"${'\r\n'.repeat(count)}",x\n`, 'read'],
    ['quotes in a field', (count) => `a,b\n"${'a""'.repeat(count)}",x\n`, 'read'],
    ['a quote that never closes', (count) => `a,b\n"${'""\n'.repeat(count)}`, 'never closed'],
    ['text beside a long field', (count) => `a,b\n"${'\n""'.repeat(count)}"x\n`, 'beside a quoted field'],
    ['empty lines', (count) => `a,b\n${'\n'.repeat(count)}1,2\n`, 'read'],
    ['short records', (count) => `a,b\n${'1,2\n'.repeat(count)}`, 'read'],
  ])('is linear in %s', (_, make, ending) => {
    // A quadratic reader takes 2500 times as long for 50 times as much, and minutes for the longer one.
    const [short, long] = [6_000, 300_000].map((count) => {
      const text = make(count);
      const begun = performance.now();
      expect(outcomeOf(text)).toContain(ending);
      return performance.now() - begun;
    });
    expect(long / Math.max(short, 20)).toBeLessThan(500);
  });
});
