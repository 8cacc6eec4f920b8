/** @module The turns before an answer, as chats in the data sets of engines. */

/** Texts, or whatever else an engine has a turn's content as. */
interface Turn<Content> {
  readonly role: 'system' | 'user';
  readonly content: Content;
}

/** A system prompt stands first, as in training here; without one the chat template has its own words in both. */
export function promptTurns<Content>(system: Content | undefined, user: Content): Turn<Content>[] {
  const before: Turn<Content>[] = system === undefined ? [] : [{ role: 'system', content: system }];
  return [...before, { role: 'user', content: user }];
}

/** The user's text for engines that look for pictures where their marks are. */
export const withMarks = (prompt: string, images: readonly string[]): string =>
  '<image>'.repeat(images.length) + prompt;
