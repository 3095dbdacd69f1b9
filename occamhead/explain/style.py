"""How the report looks: on a screen of any width, by day and by night, and on paper."""

STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --card: #ffffff; --line: #d5dae0;
  --tint: #f5f7f9; --blue: #1f5fa8; --red: #b3261e; --bar: #6c8fb8; color-scheme: light; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a3acb7; --paper: #14171b; --card: #191d22; --line: #363c44;
    --tint: #1f242a; --blue: #86b8ee; --red: #f39a92; --bar: #7499c4; color-scheme: dark; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.75rem 0 .5rem; }
h4 { font-size: .82rem; font-weight: 600; color: var(--soft); margin: .75rem 0 .25rem; }
h1, h2, h3, dd, td, th, li, p, figcaption { overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; }
.lede { font-size: 1.15rem; }
.small, figcaption, caption { font-size: .82rem; line-height: 1.4; color: var(--soft); }
.notice { font-size: .78rem; line-height: 1.4; color: var(--soft); margin-top: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 1rem 0 0;
  padding: 0; font-size: .92rem; }
a { color: var(--blue); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.formulas { background: var(--tint); border: 1px solid var(--line); border-radius: 6px;
  padding: .75rem 1.1rem; }
.formulas, .card h3 { overflow: auto hidden; }
.formula { padding-left: 2rem; text-indent: -2rem; line-height: 1.9; font-size: 1.08rem;
  max-width: none; }
.formula math { text-indent: 0; }
.formula .title { font-weight: 600; }
math .cases mtd { text-align: left; padding: .1em .4em; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0;
  font-size: .92rem; line-height: 1.4; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem 1.1rem .32rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
thead th { font-weight: 600; color: var(--soft); font-size: .82rem; vertical-align: bottom; }
tbody th { font-weight: 500; }
.whole { white-space: nowrap; }
.worse { color: var(--red); } .better { color: var(--blue); } .same { color: var(--soft); }
.confusion th, .confusion td { padding: .35rem .7rem; border: 1px solid var(--line); }
.confusion td { text-align: right; min-width: 3rem; background:
  color-mix(in srgb, var(--tone) calc(var(--share) * 45%), transparent); }
.confusion.many thead th + th { writing-mode: vertical-rl; text-align: right;
  max-height: 9rem; vertical-align: bottom; }
.warnings li { margin: .5rem 0; }
.hit { --tone: var(--blue); } .miss { --tone: var(--red); }
details { margin: .6rem 0; }
th details { margin: 0; } th summary { font-size: inherit; }
summary { cursor: pointer; font-size: .92rem; color: var(--blue); width: fit-content; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .75rem;
  overflow: auto; max-height: 28rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .25rem 1.1rem 1rem; margin: 1rem 0; }
.card h3 { margin: .75rem 0 .25rem; }
.card > p, .beside p { font-size: .92rem; max-width: none; }
.sides { display: grid; grid-template-columns: minmax(0, 32rem) minmax(0, 1fr); gap: 0 2rem;
  align-items: start; }
figure { margin: 0; }
.strip { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .5rem; }
figcaption { margin-top: .2rem; }
.strip figcaption { font-size: .78rem; line-height: 1.3; }
img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--tint); }
.pixels { image-rendering: pixelated; }
.chart { margin-top: .9rem; max-width: 22rem; } .chart.wide { max-width: 36rem; }
svg { display: block; max-width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .word { font-size: 12px; fill: var(--ink); }
svg .word.adds { fill: var(--blue); } svg .word.takes { fill: var(--red); }
svg .strong { font-weight: 600; }
svg .ground { fill: var(--paper); }
svg rect.input, svg rect.node { fill: var(--card); stroke: var(--soft); }
svg rect.output { fill: var(--tint); stroke: var(--soft); }
svg rect.frame { fill: var(--tint); stroke: var(--line); }
svg .cell.adds { fill: var(--blue); } svg .cell.takes { fill: var(--red); }
svg .edge { fill: none; stroke: var(--soft); stroke-opacity: .75; }
svg .edge.adds { stroke: var(--blue); }
svg .edge.takes { stroke: var(--red); stroke-dasharray: 5 2; }
svg .bar { fill: var(--bar); } svg .axis, svg .grid { stroke: var(--line); }
svg .curve { fill: none; stroke: var(--bar); stroke-width: 1.5; }
svg .dot { fill: var(--bar); } svg .dot.chosen { fill: var(--red); }
.beside { display: flex; gap: 1rem; align-items: start; }
.beside figure { flex: 0 0 128px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 0 2rem; }
.columns caption { font-size: 1rem; font-weight: 600; color: var(--ink); }
.columns td, .columns th { padding-right: .8rem; white-space: nowrap; }
.columns tbody th { white-space: normal; max-width: 10rem; overflow-wrap: break-word; }
.balance { display: block; width: 5rem; height: .7em; margin-top: .3em; position: relative;
  background: linear-gradient(var(--line), var(--line)) center / 1px 100% no-repeat; }
.balance span { position: absolute; top: 0; bottom: 0; }
.balance .plus { left: 50%; background: var(--blue); }
.balance .minus { right: 50%; background: var(--red); }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem;
  list-style: none; padding: 0; }
.mistakes img { max-width: 160px; }
.find { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; margin: 1rem 0;
  font-size: .92rem; }
html:has(.classes) { scroll-behavior: auto; }
.find[hidden], [data-find][hidden] { display: none; }
.find input { font: inherit; font-size: 1rem; flex: 1 1 12rem; max-width: 24rem;
  padding: .35rem .6rem; color: var(--ink); background: var(--paper);
  border: 1px solid var(--soft); border-radius: 6px; }
.find output { color: var(--soft); }
.names { columns: 13rem; padding-left: 1.1rem; font-size: .92rem; }
.classes { display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); }
.classes .card { margin: 0; padding-bottom: .5rem; content-visibility: auto;
  contain-intrinsic-size: auto 34rem; }
.classes .card:target { border-color: var(--blue); }
.sum { overflow-x: auto; } .sum p { margin: .4rem 0; line-height: 1.7; font-size: .92rem; }
.reads { list-style: none; padding: 0; margin: .6rem 0; }
.reads li { display: grid; grid-template-columns: 13.2rem minmax(0, 1fr); gap: .1rem .9rem;
  margin: .55rem 0; font-size: .88rem; line-height: 1.4; }
.reads li > :only-child { grid-column: 1 / -1; }
.reads .small { font-size: .78rem; }
.reads .plus { color: var(--blue); } .reads .minus { color: var(--red); }
.few { display: grid; grid-template-columns: repeat(4, 3rem); gap: .3rem; align-content: start; }
.i { aspect-ratio: 1; border-radius: 4px; background: var(--tint) center / cover no-repeat; }
.shared { columns: auto; } .apart { padding-left: 1.1rem; font-size: .92rem; }
.apart li { margin: .3rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr);
  gap: .35rem 1.5rem; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; }
footer { padding-top: 2rem; padding-bottom: 3rem; }
@media (max-width: 52rem) { .sides { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 34rem) { header, main, footer { padding-left: .9rem; padding-right: .9rem; }
  h1 { font-size: 1.5rem; } .card { padding-left: .8rem; padding-right: .8rem; }
  .formulas { padding-left: .8rem; padding-right: .8rem; }
  .beside figure { flex-basis: 96px; } .balance { width: 2.6rem; }
  .columns td, .columns th { padding-right: .35rem; font-size: .78rem; }
  .mistakes { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  .stacked, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; }
  .stacked thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; }
  .stacked tr { border-bottom: 1px solid var(--line); padding: .3rem 0; }
  .stacked th, .stacked td { border: 0; padding: .08rem 0; }
  .stacked td { display: flex; justify-content: space-between; gap: 1rem; text-align: right; }
  .stacked td[data-title]::before { content: attr(data-title); color: var(--soft);
    text-align: left; }
  .stacked .whole { white-space: normal; }
  .stacked td:empty { display: none; }
  .reads li { grid-template-columns: minmax(0, 1fr); }
  .few { grid-template-columns: repeat(4, 3.6rem); }
  .confusion th, .confusion td { padding: .25rem; min-width: 0; font-size: .72rem; }
  table { font-size: .86rem; } th, td { padding-right: .7rem; } }
@media print { body { font-size: 10.5pt; } header, main, footer { max-width: none; padding: 0; }
  nav, summary, .unprinted, .find { display: none; }
  .classes { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .classes .card { content-visibility: visible; zoom: .68; }
  .sides { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
  .scroll, pre { overflow: visible; max-height: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .card, figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; } }
"""
