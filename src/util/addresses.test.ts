import { expect, it } from 'vitest';
import { withoutTrailingSlashes } from './addresses.js';

it.each([
  ['http://a/v1', 'http://a/v1'],
  ['http://a/v1//', 'http://a/v1'],
  ['///', ''],
  ['', ''],
])('an address %j without the slashes at its end', (address, expected) => {
  expect(withoutTrailingSlashes(address)).toBe(expected);
});
