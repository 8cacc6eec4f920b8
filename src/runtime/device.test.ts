import { expect, it } from 'vitest';
import * as op from '../graph/ops.js';
import { lower } from '../onnx/lower.js';
import { UserError } from '../util/errors.js';
import { availableProviders, chooseProvider, defaultThreads } from './device.js';
import { Session } from './session.js';

it('has the CPU everywhere, and takes it unless told otherwise', () => {
  expect(availableProviders()).toContain('cpu');
  expect(chooseProvider()).toBe('cpu');
});

it('names what there is where a device is unknown', () => {
  expect(() => chooseProvider('abacus')).toThrow(UserError);
  expect(() => chooseProvider('abacus')).toThrow(
    `The device 'abacus' is not available; choose one of: ${availableProviders().join(', ')}.`,
  );
});

it('refuses a session on such a device', async () => {
  const model = lower({ y: op.neg(op.input('x', 'f32', [1])) }, { fuse: 'inference', weights: 'input' });
  await expect(Session.create(model, { executionProviders: ['abacus'] })).rejects.toThrow(
    "The device 'abacus'",
  );
});

it('uses at least one thread', () => {
  expect(defaultThreads()).toBeGreaterThanOrEqual(1);
});
