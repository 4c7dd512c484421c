import { expect, test } from 'vitest';
import { engineHint, enginesOf, modelState, planText } from '../../../../src/client/studio/engine-text.ts';
import type { ModelInfo } from '../../../../src/shared/messages.ts';

const model = (name: string, patch: Partial<ModelInfo> = {}): ModelInfo => ({
  name,
  role: 'generator',
  state: 'present',
  provider: null,
  why: null,
  licence: 'MIT',
  commercialUse: true,
  bytes: 1,
  comesAlong: false,
  needs: [],
  ...patch,
});

test('only generators that lack nothing can be chosen, beside mesh and none', () => {
  const models = [model('a'), model('b', { needs: ['c'] }), model('restores', { role: 'restorer' })];
  expect(enginesOf(models, 'mesh').map(({ value }) => value)).toEqual(['mesh', 'a', 'none']);
});

test('the engine in use is always among the choices', () => {
  expect(enginesOf([], 'b').map(({ value }) => value)).toEqual(['mesh', 'b', 'none']);
  expect(enginesOf([model('b')], 'b').map(({ value }) => value)).toEqual(['mesh', 'b', 'none']);
});

test('the note says which engine serves while the chosen one does not', () => {
  expect(engineHint([model('a')], 'mesh')).toBe('');
  expect(engineHint([model('a')], 'a')).toBe('Mesh serves until it is loaded.');
  expect(engineHint([model('a', { state: 'ready', provider: 'cuda' })], 'a')).toBe('Runs on cuda.');
  expect(engineHint([model('a', { state: 'failed', why: 'No memory.' })], 'a')).toBe(
    'Mesh serves in its place: No memory.',
  );
});

test('model states have names', () => {
  const states = (['absent', 'present', 'verified', 'loading', 'failed'] as const).map((state) =>
    model('a', { state }),
  );
  expect(states.map(modelState)).toEqual(['not here', 'here', 'verified', 'loading', 'failed']);
  expect(modelState(model('a', { state: 'ready', provider: 'cpu' }))).toBe('ready on cpu');
});

test('plans have names', () => {
  const plans = ['full', 'lean', '24 fps', 'reserve', 'reserve 12 fps', 'passthrough', 'a newer one'];
  expect(plans.map(planText)).toEqual(plans);
});
