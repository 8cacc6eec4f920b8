import { describe, expect, it } from 'vitest';
import type { ProgressStream } from '../util/progress.js';
import type { StepMetrics } from './metrics.js';
import { RunView } from './run-view.js';

function recorder(isTTY: boolean) {
  let text = '';
  const stream: ProgressStream = {
    isTTY,
    columns: 100,
    rows: 24,
    write: (more) => {
      text += more;
      return true;
    },
  };
  return { stream, text: () => text };
}

const step = (n: number, tasks: Record<string, number> = { read: 1 / n }): StepMetrics => ({
  step: n,
  loss: 1 / n,
  gradNorm: 0.5,
  lr: 0.00125,
  samples: 48 * n,
  tokens: 6000,
  paddedTokens: 8000,
  // The first step also compiles.
  seconds: 10 + 2 * n,
  tokensPerSecond: 3000,
  lossByTask: tasks,
  heldOut: null,
});

describe('RunView', () => {
  it('shows loss, speed, time left and the last checkpoint on a terminal', () => {
    const { stream, text } = recorder(true);
    const view = new RunView(100, stream);
    for (let n = 1; n <= 3; n++) view.step(step(n));
    view.saved('/somewhere/checkpoint-3');
    view.step(step(4, { caption: 0.3, read: 0.2 }));
    const last = text().slice(text().lastIndexOf('\r'));
    // 48 samples and 6000 tokens in the 2 seconds of a step, and 96 steps to go.
    expect(last).toContain('step 4/100');
    expect(last).toContain('3m 12s left');
    expect(last).toContain('loss 0.2500  █▃▂▁');
    expect(last).toContain('caption 0.3000  read 0.2000');
    expect(last).toContain('grad norm 0.500  lr 1.25e-3');
    expect(last).toContain('24.0 samples/s  3000 tokens/s  25 % padding');
    expect(last).toContain('last checkpoint: checkpoint-3');
  });

  it('writes one plain line a step into a log', () => {
    const { stream, text } = recorder(false);
    const view = new RunView(100, stream, 0);
    view.begins(0, undefined);
    view.step(step(1));
    view.step(step(2));
    view.end();
    expect(text().trimEnd().split('\n')).toEqual([
      'step 1/100  loss 1.0000  grad norm 0.500  lr 1.25e-3  measuring the speed',
      'step 2/100  loss 0.5000  grad norm 0.500  lr 1.25e-3  24.0 samples/s  3000 tokens/s  3m 16s left',
    ]);
  });

  it('says how to go on after an interruption, and where a resumed run began', () => {
    const { stream, text } = recorder(false);
    const view = new RunView(100, stream, 1e9);
    view.begins(7, 'out/checkpoint-7');
    view.stopping();
    view.finish(8, 'out/checkpoint-8');
    expect(text()).toBe(
      'going on after step 7 from out/checkpoint-7\n' +
        'stopping after this step with a checkpoint; Ctrl-C again ends at once without one\n' +
        'stopped after step 8 of 100, saved in out/checkpoint-8; give the same command again to go on\n',
    );
  });

  it('says where a whole run was saved', () => {
    const { stream, text } = recorder(false);
    new RunView(100, stream).finish(100, 'out/checkpoint-100');
    expect(text()).toBe('100 of 100 steps done, saved in out/checkpoint-100\n');
  });
});
