"""The looks of the report: light or dark as the reader's system is."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #f6f6f4; --card: #ffffff; --text: #22252a; --quiet: #6d737c;
  --line: #e3e3df; --accent: #2f6fb0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #17191c; --card: #212429; --text: #e6e7e9; --quiet: #9aa1ab;
    --line: #363a41; --accent: #7fb2e5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
header, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
footer { padding-top: 8px; padding-bottom: 40px; font-size: 13px; max-width: 1240px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 40px 0 12px; letter-spacing: -0.01em; }
h3 { font-size: 15px; margin: 0 0 10px; }
h3 .quiet { font-weight: 400; font-size: 13px; margin-left: 6px; }
h4 {
  font-size: 11px; font-weight: 600; margin: 0 0 6px;
  color: var(--quiet); text-transform: uppercase; letter-spacing: 0.06em;
}
p { margin: 0 0 10px; }
.quiet { color: var(--quiet); }
pre {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 14px; overflow-x: auto; font: 13px/1.5 ui-monospace, Menlo, monospace;
}
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 0; }
.facts div {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 18px; min-width: 130px;
}
.facts dd { margin: 0; font-size: 24px; font-weight: 600; line-height: 1.2; }
.facts dt { color: var(--quiet); font-size: 13px; }
article {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px 18px 18px; margin-bottom: 16px;
}
.groups { display: flex; flex-wrap: wrap; gap: 16px 22px; }
.tiles { display: flex; flex-wrap: wrap; gap: 8px; }
figure { margin: 0; }
figure img {
  display: block; width: 168px; height: 168px; background: #fff; border-radius: 8px;
  border: 1px solid var(--line); object-fit: contain;
}
figcaption {
  font-size: 12px; color: var(--quiet); text-align: center; margin-top: 3px;
}
.viewer {
  width: 100%; height: 460px; border: 1px solid var(--line); border-radius: 12px;
  background: #fff;
}
.tables { display: flex; flex-wrap: wrap; gap: 20px; }
.tables > div {
  flex: 1 1 520px; min-width: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td {
  padding: 5px 0 5px 12px; text-align: right; font-variant-numeric: tabular-nums;
}
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--quiet); font-weight: 500; vertical-align: bottom; }
tbody th, tfoot th { font-weight: 500; }
tbody tr, tfoot tr { border-top: 1px solid var(--line); }
tfoot { font-weight: 600; }
.curves {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 14px;
}
.curves svg {
  display: block; width: 100%; height: auto; max-width: 1100px; margin: auto;
}
.command { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); }
@media (max-width: 560px) {
  header, main, footer { padding-left: 14px; padding-right: 14px; }
  figure img { width: 40vw; height: 40vw; }
}
"""
