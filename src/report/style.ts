/**
 * The report's one style sheet. Both colour schemes; colours are chosen to stay apart for readers who do not see
 * red and green apart (dense: grey, pruned: blue, refused: orange), and no meaning hangs on colour alone.
 */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fbfbfa;--panel:#fff;--ink:#1c2024;--soft:#60666d;--line:#e2e4e7;--dense:#b6bdc6;
--pruned:#2368c4;--second:#7fb0ea;--third:#c9dff7;--bad:#c4540a;--good:#1a7f52;--grid:#eceef0}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--panel:#1c2024;--ink:#e8eaed;--soft:#9aa1a9;--line:#30363d;
--dense:#5b646e;--pruned:#6ba5f2;--second:#3f6fad;--third:#2b4568;--bad:#f0914b;--good:#58c492;--grid:#272c32}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:960px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:18px;margin:0 0 4px}
p{margin:0 0 12px}
.note,figcaption{color:var(--soft);font-size:13px}
.pill{display:inline-block;padding:1px 10px;border:1px solid;border-radius:99px;font-size:13px;font-weight:600;margin-right:8px}
.ok{color:var(--good)}.no{color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:24px 0}
.card,section{background:var(--panel);border:1px solid var(--line);border-radius:10px}
.card{padding:12px 14px}
.card b{display:block;font-size:22px;line-height:1.3;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px}
section{padding:18px 20px;margin:16px 0}
figure{margin:12px 0 0}
svg{display:block;width:100%;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg text{fill:var(--ink)}svg .soft{fill:var(--soft)}
.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--line);stroke-width:1}
.dense{fill:var(--dense)}.pruned{fill:var(--pruned)}.second{fill:var(--second)}.third{fill:var(--third)}.bad{fill:var(--bad)}
.path{fill:none;stroke:var(--pruned);stroke-width:2;stroke-linejoin:round}
.limit{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 4}
.hollow{fill:var(--panel);stroke:var(--bad);stroke-width:2}
.edge{stroke:var(--panel);stroke-width:1}
.key{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 5px 0 14px}
.key:first-child{margin-left:0}
.key.dense{background:var(--dense)}.key.pruned{background:var(--pruned)}.key.second{background:var(--second)}
.key.third{background:var(--third)}.key.bad{background:var(--bad)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.num{text-align:right;white-space:nowrap}
tr:last-child td{border-bottom:0}
td code{font-size:12px;overflow-wrap:anywhere}
@media print{body{background:#fff}section,.card{break-inside:avoid}}
`;
