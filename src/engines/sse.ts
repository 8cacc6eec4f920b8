/** @module Server-sent events (WHATWG HTML, section 9.2): only their data is of interest. */
import { UserError } from '../util/errors.js';

/** What a server may send without an end of line, in characters. */
const MAX_LINE = 16 * 2 ** 20;

/**
 * The data of each event. Bytes may be cut anywhere, through characters too. Comments and other fields are passed over;
 * an event that the end cuts off counts, so that a stream may end without its empty line.
 */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let data: string[] = [];
  for await (const line of lines(chunks)) {
    if (line === '') {
      if (data.length > 0) yield data.join('\n');
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === 'data') data.push(colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, ''));
  }
  if (data.length > 0) yield data.join('\n');
}

/** Lines that end with LF, CR or CRLF; the last one needs no end. Each byte is looked at once. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  // Pieces of a line whose end has not come; its length.
  let open: string[] = [];
  let length = 0;
  // A CR at the very end of a piece may be half of a CRLF.
  let afterReturn = false;
  const split = function* (text: string): Generator<string, void> {
    const rest = afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    if (text !== '') afterReturn = text.endsWith('\r');
    const parts = rest.split(/\r\n|\n|\r/);
    const last = parts.pop() ?? '';
    for (const part of parts) {
      yield open.join('') + part;
      open = [];
      length = 0;
    }
    if (last !== '') open.push(last);
    length += last.length;
  };
  for await (const chunk of chunks) {
    yield* split(decoder.decode(chunk, { stream: true }));
    if (length > MAX_LINE) {
      throw new UserError('the server sends one line without an end; check that the base URL is an API’s', {
        code: 'too_large',
      });
    }
  }
  yield* split(decoder.decode());
  if (length > 0) yield open.join('');
}
