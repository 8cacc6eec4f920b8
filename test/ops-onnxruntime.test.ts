/** @module Every op and every gradient rule: the interpreter against ONNX Runtime, at each level of fusion. */
import { describe, expect, it } from 'vitest';
import { buildCase, lossOfCase } from '../src/graph/case.test-util.js';
import { CASES } from '../src/graph/cases.test-util.js';
import { allocate, type DType, isFloat } from '../src/graph/dtype.js';
import { gradients } from '../src/graph/gradients.js';
import { interpret } from '../src/graph/interpreter.js';
import { reachable, type Tensor } from '../src/graph/node.js';
import { evaluate } from '../src/runtime/evaluate.js';
import type { HostTensor } from '../src/runtime/host-tensor.js';

/** f32 keeps 24 bits; sums of a few dozen terms lose some of them. Relative above 1, absolute below. */
const TOLERANCE = 2e-5;

const FUSIONS = { fused: 'inference', training: 'training', unfused: new Set<string>() } as const;

interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

function toHost({ dtype, shape, data }: Numbers): HostTensor {
  const elements = allocate(dtype, data.length);
  for (let i = 0; i < data.length; i++)
    elements[i] = elements instanceof BigInt64Array ? BigInt(data[i]) : data[i];
  return { dtype, shape, data: elements };
}

/** The largest difference to the interpreter; whole numbers and booleans must be equal. */
async function worstError(
  outputs: readonly Tensor[],
  feeds: Readonly<Record<string, Numbers>>,
  fuse: (typeof FUSIONS)[keyof typeof FUSIONS],
): Promise<number> {
  const names = new Set(reachable(outputs).map(({ attributes }) => attributes.name));
  const fed = Object.entries(feeds).filter(([name]) => names.has(name));
  const found = await evaluate(
    Object.fromEntries(outputs.map((output, i) => [`out${i}`, output])),
    Object.fromEntries(fed.map(([name, value]) => [name, toHost(value)])),
    undefined,
    { fuse },
  );
  const errors = interpret(outputs, feeds).map(({ dtype, shape, data }, i) => {
    const actual = found[`out${i}`];
    expect({ dtype: actual.dtype, shape: [...actual.shape] }).toEqual({ dtype, shape: [...shape] });
    const numbers = Array.from(actual.data, Number);
    if (isFloat(dtype)) {
      return numbers.reduce(
        (worst, value, j) => Math.max(worst, Math.abs(value - data[j]) / Math.max(1, Math.abs(data[j]))),
        0,
      );
    }
    return numbers.some((value, j) => value !== data[j]) ? Infinity : 0;
  });
  return Math.max(...errors);
}

describe.each(Object.entries(FUSIONS))('values of ONNX Runtime, %s', (_, fuse) => {
  it.each(CASES)('$name', async (example) => {
    expect(await worstError(buildCase(example).outputs, example.inputs, fuse)).toBeLessThan(TOLERANCE);
  });
});

describe('gradients of ONNX Runtime', () => {
  it.each(CASES.filter(({ smooth }) => smooth))('$name', async (example) => {
    const { loss, wrt, feeds } = lossOfCase(example);
    expect(await worstError(gradients(loss, wrt), feeds, 'training')).toBeLessThan(TOLERANCE);
  });
});
