/**
 * @module The report's only script: it shows the answers of two steps beside each other and marks what differs. It moves
 * nothing but the page's own nodes and their text; without it the first and the last step are shown.
 */

/** Words times words that are compared: beyond it a comparison would take seconds. */
const MOST_CELLS = 1_000_000;

/** Text in the browser's language; `parts(a, b)` gives the words of b, each with whether a common subsequence with a has it. */
export const SCRIPT = `
'use strict';
function words(text) { return text.match(/\\s+|[\\p{L}\\p{N}_]+|[^\\s\\p{L}\\p{N}_]/gu) || []; }
function parts(before, after) {
  const a = words(before), b = words(after), n = a.length, m = b.length;
  if (n * m > ${MOST_CELLS}) return [{ text: after, kept: before === after }];
  const width = m + 1, longest = new Uint32Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--)
    longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1
      : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
  const out = [];
  for (let i = 0, j = 0; j < m; ) {
    if (i < n && a[i] === b[j]) { out.push({ text: b[j], kept: true }); i++; j++; }
    else if (i < n && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else { out.push({ text: b[j], kept: false }); j++; }
  }
  return out;
}
function show(root) {
  const chosen = ['a', 'b'].map((side) => root.querySelector('select[data-side="' + side + '"]').value);
  for (const pair of root.querySelectorAll('.pair')) {
    const shown = ['a', 'b'].map((side, k) => {
      const of = [...pair.querySelectorAll('[data-side="' + side + '"] > [data-step]')];
      for (const one of of) one.hidden = one.dataset.step !== chosen[k];
      return of.filter((one) => !one.hidden);
    });
    for (const side of ['a', 'b']) pair.querySelector('[data-side="' + side + '"] > .none').hidden = shown[side === 'a' ? 0 : 1].length > 0;
    const texts = shown.map((of) => of.map((one) => one.querySelector('pre')));
    const single = texts[0].length === 1 && texts[1].length === 1;
    const plain = texts.map((of) => of.map((one) => one.textContent));
    texts.forEach((of, k) => of.forEach((one, i) => {
      one.textContent = '';
      const pieces = single ? parts(plain[1 - k][0], plain[k][0]) : [{ text: plain[k][i], kept: true }];
      for (const piece of pieces) {
        const node = document.createElement(piece.kept || piece.text.trim() === '' ? 'span' : 'mark');
        node.textContent = piece.text;
        one.append(node);
      }
    }));
  }
}
if (typeof document !== 'undefined') for (const root of document.querySelectorAll('[data-compare]')) {
  for (const select of root.querySelectorAll('select')) { select.disabled = false; select.addEventListener('change', () => show(root)); }
  show(root);
}
`;
