'use strict';
// The arena over time: every buffer a rectangle of launches and offsets.

/** Evaluates the plan: buffers, live bytes at every launch, the fullest launch. */
function planMemory(entry, symbols) {
  const buffers = entry.buffers.map(buffer => ({
    ...buffer, offset: evaluate(buffer.offset, symbols), bytes: evaluate(buffer.bytes, symbols),
  }));
  const live = entry.launches.map(() => 0);
  for (const buffer of buffers)
    for (let at = buffer.first; at <= buffer.last && at < live.length; ++at)
      live[at] += buffer.bytes;
  const fullest = live.reduce((best, bytes, at) => bytes > live[best] ? at : best, 0);
  return {buffers, live, fullest, arena: evaluate(entry.arena, symbols)};
}

/** A round number near `most` / `count`: 1, 2 or 5 times a power of ten. */
function tickStep(most, count) {
  const raw = most / count, power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(factor => factor * power >= raw);
}

function drawMemory(place, plan, kernelNamed) {
  const height = 360, left = 66, right = 14, top = 26, bottom = 42;
  const {svg, width} = canvas(place, height, 'Memory plan: offset over launches');
  const launches = plan.live.length;
  const x = launch => left + (width - left - right) * launch / Math.max(1, launches);
  const y = bytes => height - bottom - (height - top - bottom) * bytes / Math.max(1, plan.arena);
  const stepY = tickStep(Math.max(1, plan.arena), 5);
  for (let bytes = 0; bytes <= plan.arena; bytes += stepY)
    svg.append(draw('path', {d: `M${left} ${y(bytes)}H${width - right}`, class: 'axis'}),
               draw('text', {x: left - 7, y: y(bytes) + 4, 'text-anchor': 'end'}, inBytes(bytes)));
  const stepX = Math.max(1, tickStep(Math.max(1, launches), width < 560 ? 4 : 9));
  for (let launch = 0; launch <= launches; launch += stepX)
    svg.append(draw('text', {x: x(launch), y: height - bottom + 17, 'text-anchor': 'middle'},
                    launch));
  svg.append(draw('text', {x: (left + width - right) / 2, y: height - 6, 'text-anchor': 'middle'},
                  'launch'));
  for (const buffer of plan.buffers) {
    const shape = draw('rect', {
      x: x(buffer.first), y: y(buffer.offset + buffer.bytes),
      width: Math.max(1, x(buffer.last + 1) - x(buffer.first)),
      height: Math.max(0.8, y(buffer.offset) - y(buffer.offset + buffer.bytes)),
      fill: colorOf(kernelNamed(buffer.kernel)), 'fill-opacity': 0.7, class: 'shape buffer'});
    shape.append(draw('title', {}, `${buffer.type}, ${inBytes(buffer.bytes)} at offset ` +
      `${inBytes(buffer.offset)}, launches ${buffer.first} to ${buffer.last}\n` +
      `made by ${buffer.kernel}\n${buffer.places.join(', ')}`));
    svg.append(shape);
  }
  const steps = plan.live.map((bytes, at) => `L${x(at)} ${y(bytes)}L${x(at + 1)} ${y(bytes)}`);
  svg.append(draw('path', {d: `M${x(0)} ${y(0)}` + steps.join(''), class: 'live'}));
  const middle = x(plan.fullest + 0.5);
  const label = `peak: ${inBytes(plan.arena)}, fullest at launch ${plan.fullest}`;
  const space = 6.6 * label.length;
  svg.append(draw('path', {d: `M${middle} ${top - 8}V${height - bottom}`, class: 'peak'}),
             draw('path', {d: `M${left} ${y(plan.arena)}H${width - right}`, class: 'peak'}),
             draw('text', {x: Math.max(4, Math.min(middle - space / 2, width - space - 4)),
                           y: top - 12, class: 'peak-text'}, label));
}
