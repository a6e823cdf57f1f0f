import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyed } from '../../kit/dom.js';

/** A list as a browser has it: a row with the focus loses it when it is taken out, even to be put in elsewhere at once. */
class List {
  children = [];
  activeElement = null;

  getRootNode() {
    return this;
  }

  get firstChild() {
    return this.children[0] ?? null;
  }

  insertBefore(row, place) {
    if (row.list) row.remove();
    this.children.splice(place ? this.children.indexOf(place) : this.children.length, 0, row);
    row.list = this;
  }

  append(row) {
    this.insertBefore(row, null);
  }

  show(text) {
    keyed(this, [...text], (item) => item, (item, row) => row ?? new Row(item));
    return this.children.map((row) => row.name).join('');
  }

  focus(name) {
    this.activeElement = this.children.find((row) => row.name === name);
  }
}

class Row {
  constructor(name) {
    this.name = name;
  }

  get nextSibling() {
    return this.list.children[this.list.children.indexOf(this) + 1] ?? null;
  }

  contains(node) {
    return node === this;
  }

  remove() {
    if (this.list.activeElement === this) this.list.activeElement = null;
    this.list.children = this.list.children.filter((row) => row !== this);
    this.list = null;
  }
}

for (const after of ['bcd', 'xbcd', 'dcba', 'cdba', 'bxc', 'dab', 'xyb', 'b']) {
  test(`the row with the keyboard's focus keeps it when abcd becomes ${after}`, () => {
    const list = new List();
    list.show('abcd');
    const rows = [...list.children];
    list.focus('b');
    assert.equal(list.show(after), after);
    assert.equal(list.activeElement?.name, 'b');
    for (const row of list.children) assert.ok(rows.includes(row) || !'abcd'.includes(row.name), 'rows are kept by key');
  });
}

test('a list without the focus gets its rows in order, too', () => {
  const list = new List();
  for (const text of ['abc', 'cab', '', 'b', 'abx', 'xba']) assert.equal(list.show(text), text);
});
