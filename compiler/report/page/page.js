'use strict';
// Puts the page together from the report.

const run = report.run || null;
const kernelByName = new Map((report.kernels || []).map(kernel => [kernel.name, kernel]));
const kernelNamed = name => kernelByName.get(name) || {name, kind: 'fill'};
const kAssumed = 128;

const state = {entry: null, symbols: [], measured: null};

/** The dynamic extents that the numbers of an entry depend on. */
function freeSymbols(entry) {
  const found = new Set();
  symbolsOf(entry.arena, found);
  for (const launch of entry.launches) [launch.flops, launch.bytes].forEach(e => symbolsOf(e, found));
  for (const buffer of entry.buffers) [buffer.offset, buffer.bytes].forEach(e => symbolsOf(e, found));
  return [...found].filter(number => entry.static[number] < 0).sort((a, b) => a - b);
}

function choose(entry) {
  state.entry = entry;
  state.measured = run ? run.entries.find(measured => measured.entry === entry.name) : null;
  const known = state.measured && state.measured.extents.length === entry.static.length;
  state.symbols = entry.static.map((extent, number) =>
    known ? state.measured.extents[number] : extent < 0 ? kAssumed : extent);
  state.fixed = Boolean(known);
}

/** The bandwidth of memory in which a working set of so many bytes fits. */
function bandwidthFor(bytes) {
  const list = run.roof.bandwidths;
  return (list.find(entry => entry.bytes >= bytes) || list[list.length - 1]).perSecond;
}

/** Operations per second at best: on a GPU it depends on what a kernel multiplies. */
const peakFor = kernel => (run.roof.peaks || {})[kernel.precision] || run.roof.peak;

/** What the target computes products of f32 in, and how the report calls the precisions. */
const onGpu = report.target && report.target.device;
const kF32Products = {exact: 'exact', tf32: 'in TF32'};
const kPrecisions = {f32: 'f32', tf32: 'TF32 (tensor cores)', bf16: 'bf16 (tensor cores)'};

/** Milliseconds that the machine needs at least for a launch of a kernel. */
function boundOf(kernel, flops, bytes) {
  if (!run || !run.roof || !run.roof.peak || !run.roof.bandwidths.length) return NaN;
  return 1000 * Math.max(flops / peakFor(kernel), bytes / bandwidthFor(bytes));
}

/** What every kernel does in one run of the chosen entry. */
function summarize() {
  const rows = new Map();
  for (const launch of state.entry.launches) {
    if (!rows.has(launch.kernel))
      rows.set(launch.kernel, {...kernelNamed(launch.kernel), launches: 0, flops: 0, bytes: 0,
                               bound: 0, ms: NaN, busy: NaN, places: new Set()});
    const row = rows.get(launch.kernel);
    const flops = evaluate(launch.flops, state.symbols), bytes = evaluate(launch.bytes, state.symbols);
    ++row.launches;
    row.flops += flops;
    row.bytes += bytes;
    row.bound += boundOf(row, flops, bytes);
    launch.places.forEach(place => row.places.add(place));
  }
  if (state.measured)
    for (const kernel of run.kernels.filter(kernel => kernel.entry === state.entry.name)) {
      const row = rows.get(kernel.kernel);
      if (!row) continue;
      row.ms = kernel.ms / state.measured.runs;
      row.busy = kernel.threadMs / (kernel.ms * state.measured.threads);
    }
  const list = [...rows.values()];
  const total = sum(list.map(row => row.ms));
  for (const row of list) {
    row.part = row.ms / total;
    row.speed = row.flops / row.ms / 1e6;
    row.rate = row.bytes / row.ms / 1e6;
    row.share = row.bound / row.ms;
  }
  return list;
}

function showHeader() {
  const {entry} = state;
  const name = report.program || 'program';
  document.title = 'AFT report: ' + name;
  byId('title').textContent = name;
  const parts = ['entry ' + entry.name];
  const target = report.target.gpu || report.target.cpu;
  if (run && report.target.gpu) parts.push(run.machine, 'code for ' + target);
  else if (run) parts.push(run.threads + (run.threads === 1 ? ' thread' : ' threads'), run.machine);
  else parts.push('compiled for ' + target + ', not run');
  if (onGpu && !report.target.gpu) parts.push('kernels of a GPU, emulated');
  if (onGpu) parts.push('products of f32 ' + kF32Products[report.target.f32Products]);
  byId('subtitle').textContent = parts.join(' \u00b7 ');
  const controls = byId('controls');
  controls.replaceChildren();
  if (report.entries.length > 1) {
    const select = make('select', {id: 'entry'});
    report.entries.forEach((candidate, index) => select.append(new Option(candidate.name, index)));
    select.value = report.entries.indexOf(entry);
    select.addEventListener('change', () => {
      choose(report.entries[select.value]);
      show();
    });
    controls.append(make('label', {}, 'Entry ', select));
  }
  const free = freeSymbols(entry);
  for (const number of free) {
    const input = make('input', {type: 'number', min: 1, value: state.symbols[number],
                                 'data-symbol': number});
    input.readOnly = state.fixed;
    input.addEventListener('change', () => {
      state.symbols[number] = Math.max(0, Math.floor(Number(input.value)) || 0);
      showNumbers();
    });
    controls.append(make('label', {}, entry.extents[number] + ' ', input));
  }
  if (free.length)
    controls.append(make('span', {class: 'hint'}, state.fixed
      ? 'The extents of the run that was measured.'
      : 'Extents are known only at run time: these are assumed, and every number follows them.'));
}

function showTiles(rows, plan) {
  const tile = (value, label) => make('div', {class: 'tile'}, make('b', {}, value),
                                      make('span', {}, label));
  const flops = sum(rows.map(row => row.flops));
  const tiles = [];
  if (state.measured) {
    const ms = state.measured.ms / state.measured.runs;
    tiles.push(tile(inTime(ms), 'per run, over ' + state.measured.runs + ' runs'),
               tile(digits(flops / ms / 1e6) + ' GFLOP/s', inFlops(flops) + ' per run'),
               tile(inPercent(sum(rows.map(row => row.bound)) / ms), 'of the roof'));
  } else {
    tiles.push(tile(inFlops(flops), 'per run'),
               tile(inBytes(sum(rows.map(row => row.bytes))), 'moved at least'));
  }
  tiles.push(tile(state.entry.launches.length, 'launches of ' + rows.length + ' kernels'),
             tile(inBytes(plan.arena), 'of scratch memory'),
             tile(inTime(report.milliseconds), 'to compile' + ({hit: ', from the cache',
               miss: ', not in the cache', off: ', without a cache'}[report.cache] || '')));
  byId('tiles').replaceChildren(...tiles);
}

const kMeasures = [
  {key: 'ms', title: 'time', text: row => `${inTime(row.ms)} (${inPercent(row.part)})`},
  {key: 'flops', title: 'operations', text: row => inFlops(row.flops)},
  {key: 'bytes', title: 'bytes', text: row => inBytes(row.bytes)},
];

function showBars(rows) {
  const measure = kMeasures.find(candidate => candidate.key === byId('bars-by').value);
  const most = 14;
  const sorted = rows.filter(row => row[measure.key] > 0)
    .sort((a, b) => b[measure.key] - a[measure.key]);
  const bars = sorted.slice(0, most).map(row => ({
    name: row.name, value: row[measure.key], text: measure.text(row), color: colorOf(row),
    title: `${row.name}\n${row.launches} launches, ${kMeasures.filter(m => Number.isFinite(row[m.key]))
      .map(m => m.text(row)).join(', ')}\n${[...row.places].slice(0, 8).join(', ')}`}));
  const rest = sorted.slice(most);
  if (rest.length) {
    const others = {name: rest.length + ' others', kind: 'fill'};
    for (const key of ['ms', 'flops', 'bytes', 'part']) others[key] = sum(rest.map(row => row[key]));
    bars.push({name: others.name, value: others[measure.key], text: measure.text(others),
               color: '#9aa3ad'});
  }
  drawBars(byId('bars'), bars, 'Kernels by ' + measure.title);
}

function showKernels(rows) {
  const timed = Boolean(state.measured);
  byId('kernels-note').textContent = timed
    ? `Times are per run of ${state.entry.name}, over ${state.measured.runs} runs; the kernels take ` +
      `${inTime(state.measured.kernelMs / state.measured.runs)} of ` +
      `${inTime(state.measured.ms / state.measured.runs)}. Equal kernels share one body: a row sums all launches of one.`
    : 'Nothing ran, so there are no times: operations and bytes follow from the extents above. ' +
      'Equal kernels share one body: a row sums all launches of one.';
  const number = (title, unit, value, show) => ({title, unit, number: true, value, show});
  const columns = [
    {title: 'Kernel', value: row => row.name, show: named},
    {title: 'Kind', value: row => row.kind, show: row => row.kind},
    number('Launches', '', row => row.launches, row => String(row.launches)),
  ];
  if (timed)
    columns.push(
      number('Time', 'ms per run', row => row.ms, row => digits(row.ms)),
      number('Part', 'of all kernels', row => row.part, row => inPercent(row.part)));
  columns.push(
    number('Work', 'Mflop', row => row.flops, row => digits(row.flops / 1e6)),
    number('Traffic', 'MB', row => row.bytes, row => digits(row.bytes / 1e6)),
    number('Intensity', 'flop/byte', row => row.flops / row.bytes, row => digits(row.flops / row.bytes)));
  if (onGpu)
    columns.push({title: 'Precision', value: row => row.precision || '', show: row => row.precision || ''});
  if (timed)
    columns.push(
      number('Speed', 'GFLOP/s', row => row.speed, row => digits(row.speed)),
      number('Rate', 'GB/s', row => row.rate, row => digits(row.rate)),
      number('Roof', 'share', row => row.share, row => inPercent(row.share)));
  // Who works on a GPU is not known.
  if (timed && !report.target.gpu)
    columns.push(number('Threads', 'busy', row => row.busy, row => inPercent(row.busy)));
  columns.push({title: 'Where from', wide: true, value: row => [...row.places].join(),
                show: row => placeList([...row.places])});
  fillTable(byId('kernels'), columns, rows, timed ? 3 : 3, true);
}

/** The peaks that kernels are held against: {name, perSecond}, from the lowest. */
function peaksOf(rows) {
  if (!run.roof.peaks) return [{name: '', perSecond: run.roof.peak}];
  const used = new Set(['f32', ...rows.map(row => row.precision)]);
  return Object.entries(run.roof.peaks).filter(([name]) => used.has(name))
    .map(([name, perSecond]) => ({name: kPrecisions[name], perSecond}))
    .sort((a, b) => a.perSecond - b.perSecond);
}

function showRoofline(rows) {
  const place = byId('roofline'), note = byId('roofline-note');
  const known = state.measured && run.roof && run.roof.peak && run.roof.bandwidths.length;
  byId('roofline-legend').hidden = !known;
  if (state.measured && !known) {
    place.replaceChildren();
    note.textContent = `The roof of ${run.machine} is not known` +
      (run.roof.source ? `, but ${run.roof.source}.` : '.');
    return;
  }
  if (!known) {
    place.replaceChildren();
    note.textContent = 'Not measured: nothing ran, so neither the speed of the kernels nor the roof ' +
      'of this machine is known. aft-run FILE --report=PAGE and char-lm train --report=PAGE measure both.';
    return;
  }
  const drawn = rows.filter(row => row.flops > 0 && row.bytes > 0 && row.ms > 0);
  const sizes = run.roof.bandwidths.map(entry =>
    `${digits(entry.perSecond / 1e9)} GB/s reading ${inBytes(entry.bytes)}`);
  const peaks = peaksOf(rows);
  const roof = run.roof.peaks
    ? `The roof is not measured but what the GPU's clocks allow (${run.roof.source}): ` +
      `${peaks.map(peak => `${digits(peak.perSecond / 1e9)} GFLOP/s in ${peak.name}`).join(', ')}; ` +
      `${digits(run.roof.bandwidths[0].perSecond / 1e9)} GB/s of memory.`
    : `The roof was measured in this run with ${run.threads} ${run.threads === 1 ? 'thread' : 'threads'}: ` +
      `${digits(run.roof.peak / 1e9)} GFLOP/s of f32 multiplications and additions (${run.roof.vectors}); ` +
      `${sizes.join(', ')}.`;
  note.textContent = 'Each circle is a kernel; its area grows with its time. ' + roof + (drawn.length < rows.length
      ? ` ${rows.length - drawn.length} kernels without floating-point operations are not drawn.` : '');
  if (drawn.length === 0) {
    place.replaceChildren();
    return;
  }
  drawRoofline(place, drawn.map(row => ({
    name: row.name, intensity: row.flops / row.bytes, speed: row.speed * 1e9, weight: row.part,
    color: colorOf(row), title: `${row.name}: ${digits(row.speed)} GFLOP/s, ${digits(row.rate)} GB/s, ` +
      `${inPercent(row.share)} of the roof, ${inTime(row.ms)} (${inPercent(row.part)})`})),
    {peaks, bandwidths: run.roof.bandwidths});
}

function showMemory(plan) {
  const {entry} = state;
  if (plan.buffers.length === 0) {
    byId('memory-note').textContent = 'This entry needs no scratch memory: every value lies in an argument or a result.';
    byId('memory').replaceChildren();
    byId('peak-title').textContent = '';
    byId('peak').replaceChildren();
    return;
  }
  const fullest = plan.live[plan.fullest];
  const launch = entry.launches[plan.fullest];
  const measured = state.measured ? ` The run took ${inBytes(state.measured.arenaBytes)}.` : '';
  byId('memory-note').textContent =
    `One block of ${inBytes(plan.arena)} holds all values between kernels. Each rectangle is a buffer: ` +
    `how long it lives and where it lies; colours are those of the kernels that made them. The line is ` +
    `what is alive: at most ${inBytes(fullest)}, at launch ${plan.fullest}; ` +
    `${inPercent(1 - fullest / plan.arena)} of the block are gaps then.` + measured;
  drawMemory(byId('memory'), plan, kernelNamed);
  const alive = plan.buffers.filter(buffer =>
    buffer.first <= plan.fullest && plan.fullest <= buffer.last);
  byId('peak-title').textContent = `Alive at launch ${plan.fullest}, ` +
    `${launch.kernel}${launch.places.length ? ' (' + launch.places[0] + ')' : ''}: ${alive.length} buffers`;
  const number = (title, unit, value, show) => ({title, unit, number: true, value, show});
  fillTable(byId('peak'), [
    number('Size', 'MB', buffer => buffer.bytes, buffer => digits(buffer.bytes / 1e6)),
    {title: 'Type', value: buffer => buffer.type, show: buffer => make('code', {}, buffer.type)},
    {title: 'Made by', value: buffer => buffer.kernel, show: buffer => named(kernelNamed(buffer.kernel))},
    number('Offset', 'MB', buffer => buffer.offset, buffer => digits(buffer.offset / 1e6)),
    number('From', 'launch', buffer => buffer.first, buffer => String(buffer.first)),
    number('To', 'launch', buffer => buffer.last, buffer => String(buffer.last)),
    {title: 'Where from', wide: true, value: buffer => buffer.places.join(), show: buffer => placeList(buffer.places)},
  ], alive, 0, true);
}

function showRemarks() {
  const all = report.remarks || [];
  const filter = byId('remarks-filter').value;
  const count = fused => sum(all.filter(remark => remark.fused === fused).map(remark => remark.count));
  byId('remarks-note').textContent =
    `${count(true)} times an operation was put together with one that reads its result, ` +
    `${count(false)} times it was not. aft-fuse-elementwise makes one loop of two elementwise operations; ` +
    `aft-form-kernels then puts operations into one kernel that share its tiles. Before all that ` +
    `aft-raise-mixers makes mixers of sums that are one written by hand.`;
  const shown = all.filter(remark => filter === 'all' || remark.fused === (filter === 'fused'));
  const columns = [
    {title: 'Times', number: true, value: remark => remark.count, show: remark => String(remark.count)},
    {title: 'Pass', value: remark => remark.pass, show: remark => make('code', {}, remark.pass)},
    {title: 'Result of', value: remark => remark.producer, show: remark => make('code', {}, remark.producer)},
    {title: 'Read by', value: remark => remark.consumer, show: remark => make('code', {}, remark.consumer)},
  ];
  if (filter !== 'fused')
    columns.push({title: 'Why not', wide: true, value: remark => remark.reason,
                  show: remark => remark.reason || '(fused)'});
  columns.push({title: 'Where', wide: true, value: remark => remark.places.join(),
                show: remark => placeList(remark.places)});
  fillTable(byId('remarks'), columns, shown, 0, true);
}

function showCompilation() {
  const phases = report.phases || [], objects = report.objects || [];
  const total = sum(phases.map(phase => phase.ms));
  byId('compile-note').textContent = report.cache === 'hit'
    ? `This time the program came from the cache in ${inTime(report.milliseconds)}. The times below are ` +
      `those of the compilation that filled it: ${inTime(total)} in its phases.`
    : `${inTime(total)} in the phases, ${inTime(report.milliseconds)} in all.`;
  drawBars(byId('phases'), phases.map(phase => ({
    name: phase.name, value: phase.ms, color: '#2563eb',
    text: `${inTime(phase.ms)} (${inPercent(phase.ms / total)})`})), 'Phases by time');
  const number = (title, unit, value, show) => ({title, unit, number: true, value, show});
  const passes = phases.flatMap(phase => phase.passes.map(pass => ({...pass, phase: phase.name})));
  fillTable(byId('passes'), [
    number('Time', 'ms, all threads', pass => pass.ms, pass => digits(pass.ms)),
    {title: 'Phase', value: pass => pass.phase, show: pass => pass.phase},
    {title: 'Pass', value: pass => pass.name, show: pass => make('code', {}, pass.name)},
    number('Runs', '', pass => pass.runs, pass => String(pass.runs)),
  ], passes, 0, true);
  fillTable(byId('objects'), [
    number('Time', 'ms', object => object.ms, object => digits(object.ms)),
    {title: 'Object', value: object => object.name, show: object => named(kernelNamed(object.name))},
    number('Size', 'kB', object => object.bytes, object => digits(object.bytes / 1e3)),
  ], objects, 0, true);
  const list = byId('options');
  list.replaceChildren();
  const entry = (name, value) => list.append(make('dt', {}, name), make('dd', {}, value));
  entry('compiler', `AFT ${report.compiler.version}, LLVM ${report.compiler.llvm}`);
  entry('cache', {hit: 'hit', miss: 'miss', off: 'not used'}[report.cache] || kUnknown);
  if (report.target.gpu) entry('GPU', report.target.gpu + (report.machine ? ', ' + report.machine.name : ''));
  else if (onGpu) entry('kernels', 'a GPU\u2019s, emulated on the CPU');
  if (onGpu) entry('products of f32', kF32Products[report.target.f32Products]);
  entry('CPU', report.target.cpu);
  entry('vectors', `${report.target.vectorBits} bits` + (report.target.bf16 ? ', bf16 in hardware' : ''));
  for (const [name, value] of Object.entries(report.options)) entry(name, String(value));
  entry('features', make('details', {}, make('summary', {}, 'all'),
                         make('code', {}, report.target.features.split(',').join(', '))));
}

/** Everything that depends on the extents. */
function showNumbers() {
  const rows = summarize(), plan = planMemory(state.entry, state.symbols);
  showTiles(rows, plan);
  showBars(rows);
  showKernels(rows);
  showRoofline(rows);
  showMemory(plan);
}

function show() {
  const select = byId('bars-by');
  const measures = kMeasures.filter(measure => measure.key !== 'ms' || state.measured);
  select.replaceChildren(...measures.map(measure => new Option(measure.title, measure.key)));
  showHeader();
  showNumbers();
  const used = new Set(state.entry.launches.map(launch => kindOf(kernelNamed(launch.kernel))));
  for (const legend of document.querySelectorAll('.kinds'))
    legend.replaceChildren(...Object.keys(kKinds).filter(kind => used.has(kind)).map(kind => {
      const square = make('i');
      square.style.background = kKinds[kind];
      return make('span', {}, square, kind);
    }));
}

function start() {
  if (!report.entries || report.entries.length === 0) {
    byId('subtitle').textContent = 'This report has no entries.';
    return;
  }
  byId('bars-by').addEventListener('change', () => showBars(summarize()));
  byId('remarks-filter').addEventListener('change', showRemarks);
  byId('controls').addEventListener('submit', event => event.preventDefault());
  const most = run && run.entries.length
    ? report.entries.find(entry => entry.name === run.entries[0].entry) : null;
  choose(most || report.entries[report.entries.length - 1]);
  show();
  showRemarks();
  showCompilation();
  let width = window.innerWidth;
  window.addEventListener('resize', () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    showNumbers();
    showCompilation();
  });
}

start();
