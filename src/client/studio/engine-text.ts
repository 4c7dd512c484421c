/** What a person is told of engines and models. No DOM, so it is tested as it is. */

import type { ModelInfo } from '../../shared/messages.ts';

const BUILT_IN = [
  { value: 'mesh', text: 'Mesh (built in)' },
  { value: 'none', text: 'None: faces stay as they are' },
];

/** The engines that can be chosen: the built-in one, the generators that are wholly here, and none; the one in use always. */
export function enginesOf(models: readonly ModelInfo[], inUse: string): { value: string; text: string }[] {
  const generators = models.filter(({ role, needs }) => role === 'generator' && needs.length === 0);
  const names = generators.map(({ name }) => name);
  const odd = [...BUILT_IN.map(({ value }) => value), ...names].includes(inUse) ? [] : [inUse];
  return [BUILT_IN[0]!, ...[...names, ...odd].map((name) => ({ value: name, text: name })), BUILT_IN[1]!];
}

/** What a person who chose an engine should know; empty where there is nothing to say. */
export function engineHint(models: readonly ModelInfo[], inUse: string): string {
  const model = models.find(({ name }) => name === inUse);
  if (model === undefined) return '';
  if (model.state === 'ready') return `Runs on ${model.provider}.`;
  if (model.state === 'failed') return `Mesh serves in its place: ${model.why}`;
  return 'Mesh serves until it is loaded.';
}

export const modelState = ({ state, provider }: ModelInfo): string =>
  state === 'ready' ? `ready on ${provider}` : state === 'absent' ? 'not here' : state === 'present' ? 'here' : state;
