'use strict';
// Tables that sort by a click on a column's title.

/**
 * columns: [{title, unit, number, value(row), show(row)}]; `show` gives text or an
 * element, `value` what is sorted by. A column with `number` is right-aligned and
 * sorts from the largest.
 */
function fillTable(place, columns, rows, sortBy, tall) {
  const head = make('tr'), body = make('tbody');
  let order = {column: sortBy, down: columns[sortBy].number};
  const fill = () => {
    const value = columns[order.column].value;
    const sign = order.down ? -1 : 1;
    const compare = (a, b) => {
      const x = value(a), y = value(b);
      if (typeof x === 'string') return sign * x.localeCompare(y, 'en', {numeric: true});
      // What is not known comes last either way.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    };
    body.replaceChildren(...[...rows].sort(compare).map(row => {
      const line = make('tr');
      for (const column of columns)
        line.append(make('td', {class: column.number ? 'n' : column.wide ? 'text' : ''},
                         column.show(row)));
      return line;
    }));
    [...head.children].forEach((cell, index) => {
      if (index === order.column)
        cell.setAttribute('aria-sort', order.down ? 'descending' : 'ascending');
      else
        cell.removeAttribute('aria-sort');
    });
  };
  columns.forEach((column, index) => {
    const button = make('button', {type: 'button'}, column.title);
    button.addEventListener('click', () => {
      order = {column: index,
               down: order.column === index ? !order.down : Boolean(column.number)};
      fill();
    });
    const cell = make('th', {class: column.number ? 'n' : '', scope: 'col'}, button);
    if (column.unit) cell.append(make('small', {}, column.unit));
    head.append(cell);
  });
  fill();
  const table = make('table', {}, make('thead', {}, head), body);
  place.replaceChildren(make('div', {class: tall ? 'scroll tall' : 'scroll'}, table));
}

/** One place as text, several behind a fold. */
function placeList(places, all) {
  const total = all || places.length;
  if (places.length === 0) return kUnknown;
  if (total === 1) return make('code', {}, places[0]);
  const list = make('ul', {}, ...places.map(place => make('li', {}, make('code', {}, place))));
  if (total > places.length)
    list.append(make('li', {}, 'and ' + (total - places.length) + ' more'));
  return make('details', {}, make('summary', {}, total + ' places'), list);
}

function named(kernel) {
  const cell = make('span', {class: 'name'});
  const dot = make('i', {class: 'dot'});
  dot.style.background = colorOf(kernel);
  cell.append(dot, make('code', {}, kernel.name));
  return cell;
}
