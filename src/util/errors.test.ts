import { describe, expect, it } from 'vitest';
import { fetchFailure, UserError } from './errors.js';

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

describe('UserError', () => {
  it('tells programs its code and whose move it is', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new UserError('the server does not answer; start it', { code: 'unreachable', cause });
    expect(error).toMatchObject({ code: 'unreachable', kind: 'unreachable', cause, name: 'UserError' });
    expect(new UserError('no')).toMatchObject({ code: 'invalid_input', kind: 'input' });
    expect(new UserError('no').cause).toBeUndefined();
  });
});
