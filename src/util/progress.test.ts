import { describe, expect, it } from 'vitest';
import { formatDuration, ProgressBlock, ProgressLine, type ProgressStream, sparkline } from './progress.js';

/** A stream that keeps what is written; `screen` is what a terminal would show of it. */
function recorder(isTTY: boolean, columns = 80, rows = 24) {
  let text = '';
  const stream: ProgressStream = {
    isTTY,
    columns,
    rows,
    write: (more) => {
      text += more;
      return true;
    },
  };
  return { stream, text: () => text, screen: () => screenOf(text) };
}

const SEQUENCE = new RegExp(`^${String.fromCodePoint(0x1b)}\\[(\\d*)([AKJ])$`);
const SEQUENCES = new RegExp(`${String.fromCodePoint(0x1b)}\\[\\d*[AKJ]|[^]`, 'g');

/** Follows the few control sequences that progress uses. */
function screenOf(text: string): string[] {
  const lines = [''];
  let [row, column] = [0, 0];
  for (const [token] of text.matchAll(SEQUENCES)) {
    const sequence = SEQUENCE.exec(token);
    if (sequence?.[2] === 'A') row -= Number(sequence[1]);
    else if (sequence?.[2] === 'K') lines[row] = lines[row].slice(0, column);
    else if (sequence?.[2] === 'J') {
      lines[row] = lines[row].slice(0, column);
      lines.length = row + 1;
    } else if (token === '\r') column = 0;
    else if (token === '\n') {
      row++;
      column = 0;
      if (lines.length <= row) lines.push('');
    } else {
      lines[row] = lines[row].slice(0, column) + token + lines[row].slice(column + 1);
      column++;
    }
  }
  return lines;
}

describe('formatDuration', () => {
  it('names the two largest units', () => {
    expect([0, 12.4, 200, 3720, 90_000].map(formatDuration)).toEqual([
      '0s',
      '12s',
      '3m 20s',
      '1h 02m',
      '25h 00m',
    ]);
    expect(formatDuration(-3)).toBe('0s');
  });
});

describe('ProgressBlock', () => {
  it('rewrites its lines in place on a terminal, more or fewer of them', () => {
    const { stream, screen } = recorder(true);
    const block = new ProgressBlock(stream);
    block.update(['one and more', 'two', 'three']);
    expect(screen()).toEqual(['one and more', 'two', 'three']);
    block.update(['1', '2']);
    expect(screen()).toEqual(['1', '2']);
    block.update(['a', 'b', 'c', 'd']);
    expect(screen()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('puts notes above, and leaves the last lines where they are', () => {
    const { stream, screen } = recorder(true);
    const block = new ProgressBlock(stream);
    block.update(['one', 'two']);
    block.note('saved');
    block.update(['three', 'four']);
    block.end();
    block.end();
    block.note('done');
    expect(screen()).toEqual(['saved', 'three', 'four', 'done', '']);
  });

  it('cuts what does not fit, as a wrapped line could not be rewritten', () => {
    const { stream, screen } = recorder(true, 6, 3);
    const block = new ProgressBlock(stream);
    block.update(['123456789', 'b', 'c', 'd']);
    expect(screen()).toEqual(['12345', 'b']);
  });

  it('writes plain lines into a log, and not too many', () => {
    const often = recorder(false);
    const block = new ProgressBlock(often.stream, 0);
    block.update(['loss 2', 'lr 1'], 'loss 2, lr 1');
    block.update(['loss 1', 'lr 1']);
    block.end();
    expect(often.text()).toBe('loss 2, lr 1\nloss 1  lr 1\n');
    const seldom = recorder(false);
    const quiet = new ProgressBlock(seldom.stream, 1e9);
    quiet.update(['first']);
    quiet.update(['second']);
    quiet.note('last');
    expect(seldom.text()).toBe('first\nlast\n');
  });
});

describe('ProgressLine', () => {
  it('ends with its last text', () => {
    const { stream, screen } = recorder(true);
    const line = new ProgressLine(stream);
    line.update('10 of 12 done');
    line.update('11 of 12');
    line.finish('done');
    expect(screen()).toEqual(['done', '']);
  });
});

describe('sparkline', () => {
  it('runs from the lowest to the highest', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 20)).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([5, 1, 5], 20)).toBe('█▁█');
  });

  it('takes means where there are more values than places', () => {
    expect(sparkline([0, 0, 4, 4, 0, 8], 3)).toBe('▁██');
    expect(
      sparkline(
        Array.from({ length: 1000 }, (_, i) => -i),
        10,
      ),
    ).toHaveLength(10);
  });

  it('is flat for equal values and empty for none', () => {
    expect(sparkline([2, 2], 20)).toBe('▁▁');
    expect(sparkline([], 20)).toBe('');
  });
});
