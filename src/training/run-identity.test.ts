import { describe, expect, it } from 'vitest';
import { extensionNote } from './run-identity.js';

describe('extensionNote', () => {
  const extension = { after: 60, from: 60, to: 70 };
  const planned = (kind: 'constant' | 'linear' | 'cosine', curriculum = 1) => ({
    schedule: { kind, warmupSteps: 10, minRatio: 0 },
    updatesPerStep: 1,
    curriculum,
  });

  it.each([
    ['constant', 1, '60 steps became 70: as if the run had begun with 70'],
    [
      'linear',
      1,
      '60 steps became 70: the linear schedule runs over 70 steps from here on, so the rate goes on at 0.167 of its peak and not at 0.00; what was trained stays',
    ],
    [
      'constant',
      2,
      '60 steps became 70: the shares of data.curriculum are of 70 steps from here on; what was trained stays',
    ],
  ] as const)('%s, %d entries of a curriculum', (kind, curriculum, note) => {
    expect(extensionNote(extension, planned(kind, curriculum))).toBe(note);
  });

  it('says both where both change', () => {
    expect(extensionNote({ after: 30, from: 60, to: 70 }, planned('cosine', 3))).toMatch(
      /the cosine schedule runs over 70 steps .*, and the shares of data\.curriculum are of 70 steps/,
    );
  });
});
