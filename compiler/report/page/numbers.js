'use strict';
// The data, expressions over extents, and how numbers are written.

window.addEventListener('error', event => {
  const box = document.getElementById('error');
  box.hidden = false;
  box.textContent = 'This page has a fault: ' + event.message;
});

const report = JSON.parse(document.getElementById('data').textContent);

/** The value of an expression; NaN where it is not known. */
function evaluate(expression, symbols) {
  if (typeof expression === 'number') return expression;
  if (typeof expression === 'string') return symbols[Number(expression.slice(1))];
  if (!Array.isArray(expression)) return NaN;
  const left = evaluate(expression[1], symbols), right = evaluate(expression[2], symbols);
  switch (expression[0]) {
  case '+': return left + right;
  case '*': return left * right;
  case '//': return Math.floor(left / right);
  case 'ceil': return Math.ceil(left / right);
  case '%': return left - right * Math.floor(left / right);
  case 'min': return Math.min(left, right);
  case 'max': return Math.max(left, right);
  }
  return NaN;
}

/** The numbers of the symbols that an expression has, added to a set. */
function symbolsOf(expression, found) {
  if (typeof expression === 'string') found.add(Number(expression.slice(1)));
  if (Array.isArray(expression)) expression.slice(1).forEach(part => symbolsOf(part, found));
}

const kUnknown = '\u2013';

/** Three significant digits, no exponent. */
function digits(value) {
  if (!Number.isFinite(value)) return kUnknown;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
}

function scaled(value, unit) {
  if (!Number.isFinite(value)) return kUnknown;
  for (const [factor, prefix] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']])
    if (Math.abs(value) >= factor) return digits(value / factor) + ' ' + prefix + unit;
  return digits(value) + ' ' + unit;
}

const inBytes = value => scaled(value, 'B');
const inFlops = value => scaled(value, 'flop');
const inPercent = share => Number.isFinite(share) ? digits(100 * share) + ' %' : kUnknown;

function inTime(milliseconds) {
  if (!Number.isFinite(milliseconds)) return kUnknown;
  if (milliseconds >= 1000) return digits(milliseconds / 1000) + ' s';
  if (milliseconds >= 1) return digits(milliseconds) + ' ms';
  return digits(milliseconds * 1000) + ' \u00b5s';
}

const sum = values => values.reduce((a, b) => a + b, 0);

/** An element with text or children; attributes as an object. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const byId = id => document.getElementById(id);

// What kernels consist of; every aft operation is a mixer here.
const kKinds = {
  matmul: '#2563eb', mixer: '#d97706', elementwise: '#0f9d6b', rows: '#7c3aed',
  columns: '#db2777', sum: '#0891b2', fill: '#6b7280',
};
const kindOf = kernel => kKinds[kernel.kind] ? kernel.kind : kernel.kind ? 'mixer' : 'fill';
const colorOf = kernel => kKinds[kindOf(kernel)];
