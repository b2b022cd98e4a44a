'use strict';
// Bars, the roofline and the phases.

function canvas(place, height, label) {
  const width = Math.max(280, place.clientWidth);
  const svg = draw('svg', {viewBox: `0 0 ${width} ${height}`, height, role: 'img',
                           'aria-label': label});
  place.replaceChildren(svg);
  return {svg, width};
}

/** One bar per row: {name, value, text, color, title}. */
function drawBars(place, rows, label) {
  const line = 22, narrow = place.clientWidth < 560;
  const left = narrow ? 4 : 230, right = 128;
  const step = narrow ? 2 * line - 6 : line;
  const {svg, width} = canvas(place, rows.length * step + 6, label);
  const most = Math.max(...rows.map(row => row.value), 1e-30);
  rows.forEach((row, index) => {
    const top = index * step + 4;
    const y = narrow ? top + 16 : top;
    const length = Math.max(1, (width - left - right) * row.value / most);
    svg.append(draw('text', narrow ? {x: left, y: top + 11, class: 'strong'}
                                   : {x: left - 8, y: top + 13, 'text-anchor': 'end',
                                      class: 'strong'}, row.name));
    const bar = draw('rect', {x: left, y, width: length, height: 16, rx: 2, fill: row.color,
                              class: 'shape'});
    bar.append(draw('title', {}, row.title || row.name + ': ' + row.text));
    svg.append(bar, draw('text', {x: left + length + 6, y: y + 12}, row.text));
  });
}

/** The decades from `low` to `high`, as exponents. */
function decades(low, high) {
  const list = [];
  for (let e = Math.ceil(Math.log10(low) - 1e-9); e <= Math.log10(high) + 1e-9; ++e) list.push(e);
  return list;
}

const powerText = exponent => exponent >= -2 && exponent <= 4
  ? String(Number((10 ** exponent).toFixed(2))) : '1e' + exponent;

/**
 * points: [{name, intensity (flop per byte), speed (flop/s), weight (0..1), color, title}];
 * roof: {peaks: [{name, perSecond (flop/s)}], the highest last, bandwidths: [{bytes, perSecond}]}.
 */
function drawRoofline(place, points, roof) {
  const height = 400, left = 58, right = 20, top = 20, bottom = 46;
  const {svg, width} = canvas(place, height, 'Roofline: speed over arithmetic intensity');
  const memory = roof.bandwidths[roof.bandwidths.length - 1], cache = roof.bandwidths[0];
  const xs = points.map(point => point.intensity), ys = points.map(point => point.speed);
  const lowest = roof.peaks[0].perSecond, highest = roof.peaks[roof.peaks.length - 1].perSecond;
  const ridge = memory ? highest / memory.perSecond : 1;
  const lowX = 10 ** Math.floor(Math.log10(Math.min(...xs, ridge / 10)));
  const highX = 10 ** Math.ceil(Math.log10(Math.max(...xs, ridge * 10)));
  const lowY = 10 ** Math.floor(Math.log10(Math.min(...ys, lowest / 100)));
  const highY = Math.max(highest, ...ys) * 2;
  const x = value => left + (width - left - right) * Math.log(value / lowX) / Math.log(highX / lowX);
  const y = value => height - bottom -
    (height - top - bottom) * Math.log(value / lowY) / Math.log(highY / lowY);
  for (const e of decades(lowX, highX)) {
    svg.append(draw('path', {d: `M${x(10 ** e)} ${top}V${height - bottom}`, class: 'axis'}),
               draw('text', {x: x(10 ** e), y: height - bottom + 17, 'text-anchor': 'middle'},
                    powerText(e)));
  }
  for (const e of decades(lowY, highY)) {
    svg.append(draw('path', {d: `M${left} ${y(10 ** e)}H${width - right}`, class: 'axis'}),
               draw('text', {x: left - 7, y: y(10 ** e) + 4, 'text-anchor': 'end'},
                    powerText(e - 9)));
  }
  svg.append(draw('text', {x: (left + width - right) / 2, y: height - 8, 'text-anchor': 'middle'},
                  'flop per byte'),
             draw('text', {x: 14, y: (top + height - bottom) / 2, 'text-anchor': 'middle',
                           transform: `rotate(-90 14 ${(top + height - bottom) / 2})`},
                  'GFLOP/s'));
  const slope = (bandwidth, kind, label) => {
    const from = Math.max(lowX, lowY / bandwidth), to = highest / bandwidth;
    svg.append(draw('path', {d: `M${x(from)} ${y(from * bandwidth)}L${x(to)} ${y(highest)}`,
                             class: 'roof ' + kind}));
    const at = from * (to / from) ** 0.18;
    const angle = -Math.atan2(y(from * bandwidth) - y(highest), x(to) - x(from)) * 180 / Math.PI;
    svg.append(draw('text', {x: x(at), y: y(at * bandwidth) - 6, class: 'strong',
                             transform: `rotate(${angle} ${x(at)} ${y(at * bandwidth)})`}, label));
  };
  if (memory) slope(memory.perSecond, '', 'memory ' + digits(memory.perSecond / 1e9) + ' GB/s');
  if (cache && cache !== memory)
    slope(cache.perSecond, 'cache', 'cache ' + digits(cache.perSecond / 1e9) + ' GB/s');
  for (const peak of roof.peaks) {
    const flat = cache ? peak.perSecond / cache.perSecond : lowX;
    svg.append(draw('path', {d: `M${x(flat)} ${y(peak.perSecond)}H${width - right}`, class: 'roof'}),
               draw('text', {x: width - right - 4, y: y(peak.perSecond) - 6, 'text-anchor': 'end', class: 'strong'},
                    'peak ' + (peak.name ? peak.name + ', ' : '') + digits(peak.perSecond / 1e9) + ' GFLOP/s'));
  }
  // Large ones first, so that none hides another.
  for (const point of [...points].sort((a, b) => b.weight - a.weight)) {
    const dot = draw('circle', {cx: x(point.intensity), cy: y(point.speed),
                                r: 3.5 + 13 * Math.sqrt(point.weight), fill: point.color,
                                'fill-opacity': 0.75, class: 'shape point'});
    dot.append(draw('title', {}, point.title));
    svg.append(dot);
  }
  // The names of the slowest, as far as they do not run into each other.
  const labels = [];
  for (const point of [...points].sort((a, b) => b.weight - a.weight).slice(0, 8)) {
    const end = x(point.intensity) > width * 0.65, offset = 7 + 13 * Math.sqrt(point.weight);
    const at = {x: x(point.intensity) + (end ? -offset : offset), y: y(point.speed) + 4};
    const space = 7 * point.name.length;
    if (labels.length === 5 ||
        labels.some(other => Math.abs(other.y - at.y) < 14 && Math.abs(other.x - at.x) < space))
      continue;
    labels.push(at);
    svg.append(draw('text', {...at, 'text-anchor': end ? 'end' : 'start', class: 'strong'},
                    point.name));
  }
}
