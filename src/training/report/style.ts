/** @module The report's style sheet: dark or light as the reader's system is, one column on a phone, ink-saving in print. */

export const STYLE = `
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --card: #f6f8fa;
  --good: #116329; --bad: #b3261e; --odd: #7a5200; --mark: #fff1a8;
  --c0: #0b62c4; --c1: #b8460b; --c2: #1a7f37; --c3: #8a3ffc; --c4: #a2195b; --c5: #5c6b00; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --text: #e6eaef; --soft: #9aa5b1; --line: #323a44; --card: #171d24;
  --good: #5bd67d; --bad: #ff8a80; --odd: #f0c05a; --mark: #5c4d00;
  --c0: #6cb2ff; --c1: #ffa366; --c2: #5bd67d; --c3: #c4a5ff; --c4: #ff8fc0; --c5: #cfdd5a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0.25rem 0 0.75rem; max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; }
a { color: var(--c0); }
.soft, figcaption p, .meta { color: var(--soft); font-size: 0.875rem; }
.meta { margin: 0.25rem 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.5rem; margin: 1rem 0; padding: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.5rem 0.75rem; }
.facts dt { color: var(--soft); font-size: 0.8rem; }
.facts dd { margin: 0; font-weight: 600; }
.warning { border-left: 4px solid var(--odd); background: var(--card); padding: 0.5rem 0.75rem; margin: 0.5rem 0; max-width: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
.chart, .sample { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem; margin: 0; min-width: 0; }
.chart svg:not(.key) { width: 100%; height: auto; display: block; }
.axis line { stroke: var(--line); stroke-width: 1; }
.axis text { fill: var(--soft); font-size: 11px; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c0 { --own: var(--c0); } .c1 { --own: var(--c1); } .c2 { --own: var(--c2); } .c3 { --own: var(--c3); } .c4 { --own: var(--c4); } .c5 { --own: var(--c5); }
.d1 { stroke-dasharray: 7 3; } .d2 { stroke-dasharray: 2 3; } .d3 { stroke-dasharray: 9 3 2 3; } .d4 { stroke-dasharray: 4 2; } .d5 { stroke-dasharray: 1 2; }
.line { stroke: var(--own); } .mark, .bar, .band { fill: var(--own); stroke: none; stroke-dasharray: none; }
.band { opacity: 0.16; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; list-style: none; margin: 0.25rem 0; padding: 0; font-size: 0.875rem; }
.key { width: 24px; height: 8px; margin-right: 0.35rem; vertical-align: middle; }
details { margin: 0.25rem 0; font-size: 0.875rem; }
summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.6rem; text-align: right; overflow-wrap: normal; }
tbody td:not(.text) { white-space: nowrap; }
th[scope=row], th.text, td.text { text-align: left; font-weight: inherit; }
.tables { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.sample { margin-bottom: 1rem; }
.look { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.75rem; align-items: start; }
.look img, .missing { width: 10rem; max-width: 30vw; height: auto; border: 1px solid var(--line); border-radius: 0.25rem; }
.missing { padding: 0.5rem; color: var(--soft); font-size: 0.8rem; }
pre { white-space: pre-wrap; margin: 0.25rem 0; font: 0.8125rem/1.45 ui-monospace, monospace; unicode-bidi: isolate; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 0.5rem; margin-top: 0.5rem; }
.answer { border: 1px solid var(--line); border-left: 4px solid var(--soft); border-radius: 0.25rem; padding: 0.4rem 0.6rem; background: var(--page); min-width: 0; }
.right { border-left-color: var(--good); } .wrong { border-left-color: var(--bad); } .invalid { border-left-color: var(--odd); }
.right b.read { color: var(--good); } .wrong b.read { color: var(--bad); } .invalid b.read { color: var(--odd); }
mark { background: var(--mark); color: inherit; }
.pick { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; position: sticky; top: 0; background: var(--page); padding: 0.5rem 0; z-index: 1; }
select { font: inherit; padding: 0.1rem 0.4rem; }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.5rem; margin-top: 0.5rem; }
@media (max-width: 40rem) { .pair { grid-template-columns: minmax(0, 1fr); } .look { grid-template-columns: minmax(0, 1fr); } .look img { max-width: 60vw; } }
[hidden] { display: none; }
:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
@media print {
  :root { color-scheme: light; --page: #ffffff; --text: #000000; --soft: #444444; --line: #bbbbbb; --card: #ffffff; --good: #116329; --bad: #b3261e;
    --odd: #7a5200; --mark: #eeeeee; --c0: #0b62c4; --c1: #b8460b; --c2: #1a7f37; --c3: #8a3ffc; --c4: #a2195b; --c5: #5c6b00; }
  body { font-size: 10pt; padding: 0; } nav { display: none; } .pick { position: static; }
  .charts { grid-template-columns: 1fr 1fr; } .chart, .sample, .answer { break-inside: avoid; }
}
`;
