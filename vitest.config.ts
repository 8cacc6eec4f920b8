import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // ONNX Runtime's native binding does not survive vitest's vm pools.
    pool: 'forks',
    maxWorkers: 2,
    // Two noisy cores: a session build plus a model run may take several seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
