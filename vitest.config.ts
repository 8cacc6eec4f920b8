import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // ONNX Runtime's native binding does not survive vitest's vm pools.
    pool: 'forks',
    maxWorkers: 2,
    // A guard against what never ends, and no measure: a busy machine may take a hundred times as long as a quiet one.
    testTimeout: 30 * 60_000,
    hookTimeout: 30 * 60_000,
  },
});
