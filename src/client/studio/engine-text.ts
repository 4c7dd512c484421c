/** Texts about engines and models. Free of the DOM, for tests. */

import type { ModelInfo } from '../../shared/messages.ts';

const BUILT_IN = [
  { value: 'mesh', text: 'Mesh (built in)' },
  { value: 'none', text: 'None: faces stay as they are' },
];

/**
 * The engines to choose from: the built-in one, the generators whose files are all present, the one in use, and none.
 */
export function enginesOf(models: readonly ModelInfo[], inUse: string): { value: string; text: string }[] {
  const generators = models.filter(({ role, needs }) => role === 'generator' && needs.length === 0);
  const names = generators.map(({ name }) => name);
  const unlisted = [...BUILT_IN.map(({ value }) => value), ...names].includes(inUse) ? [] : [inUse];
  return [BUILT_IN[0]!, ...[...names, ...unlisted].map((name) => ({ value: name, text: name })), BUILT_IN[1]!];
}

/** What runs in place of, or for, the chosen engine; empty for engines without a model. */
export function engineHint(models: readonly ModelInfo[], inUse: string): string {
  const model = models.find(({ name }) => name === inUse);
  if (model === undefined) return '';
  if (model.state === 'ready') return `Runs on ${model.provider}.`;
  if (model.state === 'failed') return `Mesh serves in its place: ${model.why}`;
  return 'Mesh serves until it is loaded.';
}

/** A model's state in a few words. */
export const modelState = ({ state, provider }: ModelInfo): string =>
  state === 'ready' ? `ready on ${provider}` : state === 'absent' ? 'not here' : state === 'present' ? 'here' : state;
