import { describe, expect, it } from 'vitest';
import { GrpoView } from './run-view.js';
import type { GrpoMetrics } from './records.js';

const counts = { safe: 1, unsafe: 0, invalid: 0 };

const metricsOf = (step: number, heldOut: number | null = null): GrpoMetrics => ({
  step,
  loss: 0.1,
  grad_norm: 0.5,
  lr: 1e-5,
  reward: 0.25 * step,
  reward_std: 0.1,
  rewards: { label: { mean: 0.5, std: 0.1 }, quote: { mean: 0.25, std: 0.2 }, named: null },
  frac_reward_zero_std: 0.25,
  replaced_groups: 1,
  kl: null,
  entropy: 0.3,
  clip_ratio_low: 0,
  clip_ratio_high: 0,
  completion_length: { mean: 40, min: 7, max: 90 },
  clipped_ratio: 0.125,
  confusion: { safe: counts, unsafe: counts },
  safe_accuracy: 1,
  unsafe_accuracy: null,
  invalid_ratio: 0.05,
  accuracy_by_policy: {},
  seconds: { rollout: 4, scoring: 0, update: 2, total: 10 * step },
  tokens_per_second: 1234,
  held_out:
    heldOut === null ? null : { reward: 1, macro_f1: heldOut, confusion: { safe: counts, unsafe: counts } },
});

/** What is written to a terminal, or to a log. */
function stream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 100, rows: 30, write: (text: string) => written.push(text), written };
}

describe('GrpoView', () => {
  it('shows on a terminal where the run is, reward by reward', () => {
    const out = stream(true);
    const view = new GrpoView(10, out);
    view.begins(1, 'runs/a/checkpoint-1');
    view.step(metricsOf(2));
    view.step(metricsOf(3, 0.75));
    const shown = out.written.at(-1) ?? '';
    expect(out.written[0]).toBe('going on after step 1 from runs/a/checkpoint-1\n');
    for (const part of [
      'step 3/10',
      '1m 10s left',
      'reward 0.750 ± 0.100',
      'label 0.500  quote 0.250',
      'safe right 100 %  unsafe right –  invalid 5 %',
      'equal groups 25 %  length 40 (7–90)  cut off 13 %',
      'held out: macro-F1 0.750 after step 3  last checkpoint: checkpoint-1',
    ]) {
      expect(shown).toContain(part);
    }
    expect(shown).not.toContain('kl');
    view.stopping();
    view.finish(3, 'runs/a/checkpoint-3', 'interrupted');
    expect(out.written.at(-1)).toBe(
      '3 of 10 steps done, saved in runs/a/checkpoint-3; give the same command again to go on\n',
    );
  });

  it('writes a plain line in a log, and not at every step', () => {
    const out = stream(false);
    const view = new GrpoView(10, out);
    view.step(metricsOf(1));
    view.step(metricsOf(2));
    expect(out.written).toEqual([
      'step 1/10  reward 0.250  equal groups 25 %  invalid 5 %  length 40  held out not measured yet  measuring the speed\n',
    ]);
  });
});
