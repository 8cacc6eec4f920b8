import { describe, expect, it } from 'vitest';
import { fetchFailure } from './errors.js';

const refused = new Error('connect ECONNREFUSED ::1:8710');

describe('fetchFailure', () => {
  it.each([
    ['what is thrown itself', refused],
    ['one level down', new TypeError('fetch failed', { cause: refused })],
    // Node leaves the message of this one empty.
    ['of several addresses', new TypeError('fetch failed', { cause: new AggregateError([refused, 1], '') })],
  ])('says why: %s', (_, error) => {
    expect(fetchFailure(error)).toBe('connect ECONNREFUSED ::1:8710');
  });
});
