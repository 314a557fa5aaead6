'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const canvas = document.getElementById('graph'), map = document.getElementById('map'), panel = document.getElementById('panel');
const ink = canvas.getContext('2d'), mapInk = map.getContext('2d');
const boxes = data.boxes, lines = data.lines;
const [left, top_, right, bottom] = data.bounds;
const view = { x: 0, y: 0, scale: 1 };            // the point of the graph in the middle of the canvas, and pixels per unit
let selected = -1, hits = [], hit = -1, colouring = data.engine ? 'time' : 'kind', dimmed = null, drawn = false, mapImage = null, css = {};

// ---- what is ready before the first frame
boxes.forEach((b, i) => { [b.x, b.y, b.w, b.h] = b.at; b.id = i; b.from = []; b.to = []; });
lines.forEach(l => {
  boxes[l.from].to.push(l); boxes[l.to].from.push(l);
  const p = l.points, path = new Path2D();
  l.box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < p.length; i += 2) l.box = [Math.min(l.box[0], p[i]), Math.min(l.box[1], p[i + 1]), Math.max(l.box[2], p[i]), Math.max(l.box[3], p[i + 1])];
  path.moveTo(p[0], p[1]);
  if (p.length === 4 && p[0] !== p[2]) {
    const bend = Math.min(60, Math.max(12, (p[3] - p[1]) / 2));
    path.bezierCurveTo(p[0], p[1] + bend, p[2], p[3] - bend, p[2], p[3]);
  } else {
    for (let i = 2; i < p.length - 2; i += 2) path.arcTo(p[i], p[i + 1], p[i + 2], p[i + 3], 14);
    path.lineTo(p[p.length - 2], p[p.length - 1]);
  }
  l.path = path;
});
// Boxes in rows of 512 units, so that a frame looks only at what it shows.
const Row = 512, rows = new Map(), lineRows = new Map();
const put = (index, from, to, item) => { for (let r = Math.floor(from / Row); r <= Math.floor(to / Row); r++) { if (!index.has(r)) index.set(r, []); index.get(r).push(item); } };
boxes.forEach(b => put(rows, b.y - b.h / 2, b.y + b.h / 2, b));
const farLines = lines.filter(l => l.far), nearLines = lines.filter(l => !l.far);
nearLines.forEach(l => put(lineRows, l.box[1], l.box[3], l));
const labelled = new Set(nearLines.filter((l, i, all) => i === all.findIndex(o => o.from === l.from && o.label === l.label)));

// ---- drawing
const fill = b => colouring === 'time' ? b.heat ?? '#b9bec4' : colouring === 'group' ? b.group ? data.groups[b.group] : '#9aa3ab' : data.categories[b.category];
const dark = b => colouring !== 'time' || b.ms !== undefined && b.ms / data.slowest >= 0.3;
function resize() {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  for (const c of [canvas, map]) { const r = c.getBoundingClientRect(); c.width = Math.max(1, Math.round(r.width * ratio)); c.height = Math.max(1, Math.round(r.height * ratio)); }
  canvas.ratio = map.ratio = ratio;
  const style = getComputedStyle(document.documentElement);
  for (const name of ['paper', 'ink', 'dim', 'edge', 'mark', 'panel']) css[name] = style.getPropertyValue('--' + name);
  mapImage = null; redraw();
}
function redraw() { if (!drawn) { drawn = true; requestAnimationFrame(draw); } }
function window_() { const k = view.scale * canvas.ratio; return [view.x - canvas.width / 2 / k, view.y - canvas.height / 2 / k, view.x + canvas.width / 2 / k, view.y + canvas.height / 2 / k]; }
const seen = (index, y1, y2, visit) => {
  const done = new Set();
  for (let r = Math.floor(y1 / Row); r <= Math.floor(y2 / Row); r++) for (const item of index.get(r) ?? []) if (!done.has(item)) { done.add(item); visit(item); }
};
function draw() {
  drawn = false;
  const k = view.scale * canvas.ratio, [x1, y1, x2, y2] = window_();
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.fillStyle = css.paper; ink.fillRect(0, 0, canvas.width, canvas.height);
  ink.setTransform(k, 0, 0, k, canvas.width / 2 - view.x * k, canvas.height / 2 - view.y * k);
  const focus = selected >= 0 ? boxes[selected] : null, heads = [];
  const stroke = l => {
    const near = focus && (l.from === selected || l.to === selected);
    if (!near && (l.box[2] < x1 || l.box[0] > x2 || l.box[3] < y1 || l.box[1] > y2)) return;
    ink.strokeStyle = near ? css.mark : css.edge; ink.globalAlpha = near ? 1 : l.far ? 0.3 : dimmed ? 0.35 : 1; ink.lineWidth = near ? 2.2 : Math.max(1, 0.7 / k);
    ink.stroke(l.path);
    if (view.scale > 0.3) heads.push(l);
  };
  farLines.forEach(stroke);
  seen(lineRows, y1, y2, stroke);
  ink.globalAlpha = 1; ink.fillStyle = css.edge;
  for (const l of heads) { const x = l.points[l.points.length - 2], y = l.points[l.points.length - 1]; ink.beginPath(); ink.moveTo(x, y); ink.lineTo(x - 4, y - 7); ink.lineTo(x + 4, y - 7); ink.fill(); }
  if (view.scale > 0.55) {
    ink.font = '10px system-ui, Helvetica, Arial, sans-serif'; ink.fillStyle = css.dim; ink.textAlign = 'left';
    seen(lineRows, y1, y2, l => { if (labelled.has(l)) ink.fillText(l.label, l.points[0] + 5, l.points[1] + 12); });
  }
  ink.textAlign = 'center';
  seen(rows, y1, y2, b => { if (b.x + b.w / 2 >= x1 && b.x - b.w / 2 <= x2) drawBox(b); });
  ink.globalAlpha = 1;
  drawMap();
}
function drawBox(b) {
  ink.globalAlpha = dimmed && !dimmed(b) ? 0.18 : 1;
  const x = b.x - b.w / 2, y = b.y - b.h / 2;
  ink.fillStyle = fill(b);
  if (view.scale < 0.25) { ink.fillRect(x, y, b.w, b.h); return mark(b, x, y); }
  ink.beginPath(); ink.roundRect(x, y, b.w, b.h, b.kind === 'node' ? 4 : 12); ink.fill();
  if (b.group && colouring !== 'kind') { ink.strokeStyle = data.groups[b.group]; ink.lineWidth = 2.5; ink.stroke(); }
  if (b.scope) { ink.strokeStyle = css.dim; ink.lineWidth = 1; ink.setLineDash([3, 3]); ink.strokeRect(x - 3, y - 3, b.w + 6, b.h + 6); ink.setLineDash([]); }
  mark(b, x, y);
  if (view.scale < 0.38) return;
  ink.fillStyle = dark(b) ? '#ffffff' : '#202428';
  ink.font = '600 12.5px system-ui, Helvetica, Arial, sans-serif'; ink.fillText(b.title, b.x, y + 17, b.w - 8);
  if (view.scale < 0.5) return;
  ink.font = '10.5px system-ui, Helvetica, Arial, sans-serif';
  b.text.forEach((t, i) => ink.fillText(t, b.x, y + 31 + 15 * i, b.w - 8));
}
function mark(b, x, y) {
  const found = hits.length && hits[hit] === b;
  if (b.id !== selected && !found) return;
  ink.globalAlpha = 1; ink.strokeStyle = css.mark; ink.lineWidth = 3 / Math.min(1, view.scale); ink.strokeRect(x - 4, y - 4, b.w + 8, b.h + 8);
}
// The whole graph beside it; a graph taller than the strip is squeezed, since its use is to jump.
function mapScale() { const w = map.width - 12 * map.ratio, h = map.height - 12 * map.ratio; return [Math.min(w / (right - left), 1), Math.min(h / (bottom - top_), 1)]; }
function drawMap() {
  const [sx, sy] = mapScale(), pad = 6 * map.ratio;
  if (!mapImage) {
    mapImage = document.createElement('canvas'); mapImage.width = map.width; mapImage.height = map.height;
    const m = mapImage.getContext('2d');
    for (const b of boxes) { m.fillStyle = fill(b); m.fillRect(pad + (b.x - b.w / 2 - left) * sx, pad + (b.y - b.h / 2 - top_) * sy, Math.max(1.5, b.w * sx), Math.max(1, b.h * sy)); }
  }
  mapInk.clearRect(0, 0, map.width, map.height); mapInk.drawImage(mapImage, 0, 0);
  const [x1, y1, x2, y2] = window_();
  mapInk.strokeStyle = css.mark; mapInk.lineWidth = 1.5 * map.ratio;
  const rx = Math.max(1, pad + (Math.max(x1, left - 20) - left) * sx), ry = Math.max(1, pad + (Math.max(y1, top_ - 20) - top_) * sy);
  mapInk.strokeRect(rx, ry, Math.max(6, Math.min(map.width - rx - 2, (Math.min(x2, right + 20) - Math.max(x1, left - 20)) * sx)), Math.max(5, (Math.min(y2, bottom + 20) - Math.max(y1, top_ - 20)) * sy));
}

// ---- moving
const size = () => [canvas.width / canvas.ratio, canvas.height / canvas.ratio];
function zoom(factor, px, py) {
  const [w, h] = size(), scale = Math.min(4, Math.max(0.01, view.scale * factor)), dx = (px ?? w / 2) - w / 2, dy = (py ?? h / 2) - h / 2;
  view.x += dx / view.scale - dx / scale; view.y += dy / view.scale - dy / scale; view.scale = scale; redraw();
}
function whole() { const [w, h] = size(); view.scale = Math.min(1.5, w / (right - left + 60), h / (bottom - top_ + 60)); view.x = (left + right) / 2; view.y = (top_ + bottom) / 2; redraw(); }
function beginning() {
  const [w, h] = size(), all = Math.min(w / (right - left + 60), h / (bottom - top_ + 60));
  if (all >= 0.75) return whole();
  const first = boxes.reduce((a, b) => b.y < a.y ? b : a, boxes[0]);
  view.scale = Math.min(1, Math.max(0.75, w / (right - left + 60))); view.x = w / view.scale >= right - left ? (left + right) / 2 : first.x; view.y = top_ - 30 + h / 2 / view.scale; redraw();
}
function goTo(b) { if (view.scale < 0.6) view.scale = 1; view.x = b.x; view.y = b.y; redraw(); }
let grip = null;
canvas.addEventListener('pointerdown', e => { grip = { x: e.clientX, y: e.clientY, far: 0 }; canvas.setPointerCapture(e.pointerId); canvas.classList.add('moving'); });
canvas.addEventListener('pointermove', e => {
  if (!grip) { canvas.style.cursor = at(e) ? 'pointer' : ''; return; }
  const dx = e.clientX - grip.x, dy = e.clientY - grip.y;
  grip.far += Math.abs(dx) + Math.abs(dy); grip.x = e.clientX; grip.y = e.clientY;
  view.x -= dx / view.scale; view.y -= dy / view.scale; redraw();
});
canvas.addEventListener('pointerup', e => { canvas.classList.remove('moving'); if (grip && grip.far < 5) select(at(e)?.id ?? -1); grip = null; });
canvas.addEventListener('pointercancel', () => { grip = null; canvas.classList.remove('moving'); });
canvas.addEventListener('wheel', e => {
  e.preventDefault();
  if (e.ctrlKey || e.metaKey || e.altKey) return zoom(Math.exp(-e.deltaY / 300), e.offsetX, e.offsetY);
  const unit = e.deltaMode === 1 ? 30 : 1;
  if (e.shiftKey) view.x += e.deltaY * unit / view.scale; else { view.x += e.deltaX * unit / view.scale; view.y += e.deltaY * unit / view.scale; }
  redraw();
}, { passive: false });
canvas.addEventListener('dblclick', e => zoom(1.6, e.offsetX, e.offsetY));
function at(e) {
  const [w, h] = size(), x = view.x + (e.offsetX - w / 2) / view.scale, y = view.y + (e.offsetY - h / 2) / view.scale;
  return (rows.get(Math.floor(y / Row)) ?? []).find(b => Math.abs(x - b.x) <= b.w / 2 && Math.abs(y - b.y) <= b.h / 2);
}
const jump = e => { if (!e.buttons) return; const [sx, sy] = mapScale(), pad = 6 * map.ratio; view.x = Math.min(right, Math.max(left, (e.offsetX * map.ratio - pad) / sx + left)); view.y = Math.min(bottom, Math.max(top_, (e.offsetY * map.ratio - pad) / sy + top_)); redraw(); };
map.addEventListener('pointerdown', jump); map.addEventListener('pointermove', jump);
const by = (id, act) => document.getElementById(id).addEventListener('click', act);
by('in', () => zoom(1.3)); by('out', () => zoom(1 / 1.3)); by('whole', whole); by('top', beginning);

// ---- search
const search = document.getElementById('search'), found = document.getElementById('found');
const words = b => [b.title, b.name, b.category, b.scope ?? '', ...(b.sources ?? []), ...(b.inputs ?? []).map(t => t.name), ...(b.outputs ?? []).map(t => t.name)].join('\n').toLowerCase();
function look() {
  const text = search.value.trim().toLowerCase();
  hits = text ? boxes.filter(b => (b.words ??= words(b)).includes(text)) : [];
  hit = hits.length ? 0 : -1; dimmed = hits.length ? b => hits.includes(b) : null;
  const set = new Set(hits); if (dimmed) dimmed = b => set.has(b);
  tell(text); if (hits.length) goTo(hits[0]); redraw();
}
function tell(text) { found.textContent = text ? hits.length ? `${hit + 1} of ${hits.length}` : 'nothing found' : ''; }
function next(step) { if (!hits.length) return; hit = (hit + step + hits.length) % hits.length; tell(search.value); goTo(hits[hit]); }
search.addEventListener('input', look);
search.addEventListener('keydown', e => {
  if (e.key === 'Enter') { next(e.shiftKey ? -1 : 1); if (hits.length) select(hits[hit].id); }
  if (e.key === 'Escape') { search.value = ''; look(); canvas.focus(); }
  e.stopPropagation();
});
document.addEventListener('keydown', e => {
  if (e.target.tagName === 'SELECT') return;
  const step = 80 / view.scale;
  const act = { '/': () => search.focus(), '+': () => zoom(1.3), '=': () => zoom(1.3), '-': () => zoom(1 / 1.3), '0': whole, Home: beginning, n: () => next(1), N: () => next(-1), Escape: () => select(-1),
    ArrowLeft: () => view.x -= step, ArrowRight: () => view.x += step, ArrowUp: () => view.y -= step, ArrowDown: () => view.y += step,
    PageDown: () => view.y += size()[1] * 0.9 / view.scale, PageUp: () => view.y -= size()[1] * 0.9 / view.scale }[e.key];
  if (act && !e.ctrlKey && !e.metaKey) { e.preventDefault(); act(); redraw(); }
});

// ---- details
function el(tag, text, name) { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (name) e.className = name; return e; }
function list(pairs) { const dl = el('dl'); for (const [k, v] of pairs) dl.append(el('dt', k), el('dd', v)); return dl; }
function select(id) { selected = id; panel.replaceChildren(); if (id < 0) about(); else describe(boxes[id]); panel.scrollTop = 0; redraw(); }
function about() {
  panel.append(el('h2', data.title), list(data.facts));
  panel.append(el('h3', 'Kinds of node'));
  const counts = new Map(); boxes.filter(b => b.kind === 'node').forEach(b => counts.set(b.title, (counts.get(b.title) ?? 0) + 1));
  const dl = el('dl');
  [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).forEach(([k, n]) => { const a = el('a', k); a.onclick = () => { search.value = k; look(); }; const dt = el('dt'); dt.append(a); dl.append(dt, el('dd', String(n))); });
  panel.append(dl);
  if (data.engine) {
    panel.append(el('h3', 'Slowest layers'));
    const layers = new Map(); boxes.filter(b => b.layer).forEach(b => { if (!layers.has(b.layer)) layers.set(b.layer, b); });
    const slow = el('dl');
    [...layers.values()].sort((a, b) => b.ms - a.ms).slice(0, 15).forEach(b => { const a = el('a', b.layer); a.onclick = () => { select(b.id); goTo(b); }; const dd = el('dd'); dd.append(a); slow.append(el('dt', `${b.percent.toFixed(1)} %`), dd); });
    panel.append(slow);
  }
  panel.append(el('h3', 'Keys'), list([['drag, wheel', 'move'], ['Ctrl+wheel, + and -', 'size'], ['0, Home', 'whole graph, beginning'], ['/ then Enter', 'search, next'], ['click', 'details']]));
}
function describe(b) {
  panel.append(el('h2', (b.domain ? b.domain + '::' : '') + b.title), el('div', b.name, 'name'));
  const facts = [['kind', b.category]];
  if (b.scope) facts.push(['inside', b.scope]);
  if (b.layer) facts.push(['engine layer', b.layer], ['time', `${b.ms} ms (${b.percent} %)`]);
  if (b.group && b.group !== b.layer) facts.push(['group', b.group]);
  panel.append(list(facts));
  if (b.attributes) panel.append(el('h3', 'Attributes'), list(b.attributes));
  if (b.sources) panel.append(el('h3', 'Made of'), ...b.sources.map(s => el('div', s, 'tensor')));
  for (const [title, tensors, ends] of [['Inputs', b.inputs, b.from.map(l => l.from)], ['Outputs', b.outputs, b.to.map(l => l.to)]]) {
    if (!tensors) continue;
    panel.append(el('h3', title), ...tensors.map(tensor));
    if (ends.length) { const box = el('div', title === 'Inputs' ? 'from ' : 'to ', 'tensor'); [...new Set(ends)].forEach((id, i) => { const a = el('a', boxes[id].title + (boxes[id].name !== boxes[id].title ? ` ${boxes[id].name}` : '')); a.onclick = () => { select(id); goTo(boxes[id]); }; if (i) box.append(', '); box.append(a); }); panel.append(box); }
  }
}
function tensor(t) {
  const div = el('div', undefined, 'tensor');
  div.append(el('span', t.name), el('code', t.constant ?? t.type));
  const s = t.statistic;
  if (s) {
    div.append(el('div', `mean ${s.mean}, std ${s.std}; min ${s.min}, median ${s.median}, max ${s.max}${s.zeros !== '0' ? `; ${s.zeros} % zeros` : ''}${s.bad ? `; ${s.bad} NaN or infinite` : ''}`, 'stat'));
    const most = Math.max(...s.bars), ns = 'http://www.w3.org/2000/svg', svg = document.createElementNS(ns, 'svg');
    svg.setAttribute('width', 220); svg.setAttribute('height', 34);
    s.bars.forEach((n, i) => { const r = document.createElementNS(ns, 'rect'), h = most ? 32 * n / most : 0; r.setAttribute('x', i * 220 / s.bars.length); r.setAttribute('width', 220 / s.bars.length - 1); r.setAttribute('y', 33 - h); r.setAttribute('height', Math.max(n ? 1 : 0, h)); r.setAttribute('fill', '#2f6db5'); svg.append(r); });
    div.append(svg);
  }
  return div;
}

// ---- colours
const colour = document.getElementById('colour'), legend = document.getElementById('legend');
for (const [value, text, has] of [['kind', 'kind of work', true], ['group', 'fused groups', Object.keys(data.groups).length > 0], ['time', 'engine time', !!data.engine]]) if (has) { const o = el('option', text); o.value = value; colour.append(o); }
colour.value = colouring;
colour.addEventListener('change', () => { colouring = colour.value; mapImage = null; explain(); redraw(); canvas.focus(); });
function explain() {
  legend.replaceChildren();
  if (colouring === 'time') {
    const ramp = el('i', undefined, 'ramp'); ramp.style.background = 'linear-gradient(90deg, hsl(50,60%,78%), hsl(25,75%,58%), hsl(0,90%,38%))';
    const row = el('div'); row.append(el('span', '0'), ramp, el('span', `${data.slowest} ms`)); legend.append(row, el('div', `${data.engine}; grey: no layer of its own`));
    return;
  }
  const entries = Object.entries(colouring === 'group' ? data.groups : data.categories);
  for (const [name, color] of entries.slice(0, 24)) {
    const row = el('div'), dot = el('i'); dot.style.background = color; row.append(dot, el('span', name.length > 60 ? name.slice(0, 59) + '…' : name));
    row.onclick = () => { const same = b => (colouring === 'group' ? b.group : b.category) === name; dimmed = dimmed && dimmed.name_ === name ? null : Object.assign(same, { name_: name }); redraw(); };
    legend.append(row);
  }
  if (entries.length > 24) legend.append(el('div', `and ${entries.length - 24} more`));
}
new ResizeObserver(resize).observe(document.getElementById('stage'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', resize);
resize(); explain(); select(-1); beginning(); draw();
