import { expect, test } from 'vitest';
import { WaitingList } from '../../../../src/server/cluster/waiting-list.ts';

test('publishers keep their order, whatever is told of them again', () => {
  const list = new WaitingList();
  list.add('a', 0);
  list.add('b', 500);
  list.add('a', 900);
  expect([list.placeOf('a'), list.placeOf('b'), list.placeOf('c')]).toEqual([1, 2, null]);
  expect(list.waitingFor(1000, 1000)).toEqual(['a']);
  expect(list.waitingFor(1000, 1500)).toEqual(['a', 'b']);
  list.remove('a');
  expect(list.placeOf('b')).toBe(1);
});

test('one that is told late has the place of its time', () => {
  const list = new WaitingList();
  list.add('a', 100);
  list.add('b', 200);
  list.add('b', 50);
  expect(list.rooms).toEqual(['b', 'a']);
});

test('those that are gone are forgotten, and come in at the end', () => {
  const list = new WaitingList();
  for (const room of ['a', 'b', 'c']) list.add(room, 0);
  list.keep(new Set(['b', 'c']));
  list.add('a', 10);
  expect(list.rooms).toEqual(['b', 'c', 'a']);
});

test('one that cannot be reached does not hold up the others, and is tried ever more rarely', () => {
  const list = new WaitingList();
  list.add('a', 0);
  list.add('b', 1);
  list.postpone('a', 1000);
  expect(list.waitingFor(0, 2999)).toEqual(['b']);
  expect(list.waitingFor(0, 3000)).toEqual(['a', 'b']);
  list.postpone('a', 3000);
  expect(list.waitingFor(0, 6999)).toEqual(['b']);
  for (let n = 0; n < 20; n++) list.postpone('a', 7000);
  expect(list.waitingFor(0, 306_999)).toEqual(['b']);
  expect(list.waitingFor(0, 307_000)).toEqual(['a', 'b']);
  list.remove('a');
  list.add('a', 0);
  expect(list.waitingFor(0, 0)).toEqual(['a']);
});
