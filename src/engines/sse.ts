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

/** Lines that end with LF, CR or CRLF; the last one needs no end. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let open = '';
  for await (const chunk of chunks) {
    open += decoder.decode(chunk, { stream: true });
    // A CR at the very end may be half of a CRLF.
    const held = open.endsWith('\r') ? '\r' : '';
    const parts = open.slice(0, open.length - held.length).split(/\r\n|\n|\r/);
    open = (parts.pop() ?? '') + held;
    if (open.length > MAX_LINE) {
      throw new UserError('the server sends one line without an end; check that the base URL is an API’s');
    }
    yield* parts;
  }
  open += decoder.decode();
  if (open !== '') yield* open.split(/\r\n|\n|\r/);
}
