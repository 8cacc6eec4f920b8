import { describe, expect, it } from 'vitest';
import { oneLine, printable, safeJson } from './printable.js';

const HOSTILE = 'a\nb\r\u2028\u202ec\u001b[31md\u200be\u009b\u{E0041}';

describe('text of strangers', () => {
  it('in one line has no break, and what is unseen is written out', () => {
    expect(oneLine(HOSTILE)).toBe('a\\nb\\r\\u{2028}\\u{202E}c[31md\\u{200B}e\\u{E0041}');
  });

  it('in lines keeps them, without codes', () => {
    expect(printable(HOSTILE)).toBe('a\nb\n\\u{202E}c[31md\\u{200B}e\\u{E0041}');
  });

  it('in JSON is escaped, and the value stays', () => {
    const json = safeJson({ [HOSTILE]: HOSTILE });
    expect(json).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(json)).toEqual({ [HOSTILE]: HOSTILE });
  });
});
