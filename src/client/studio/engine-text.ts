/** Texts about engines and models. Free of the DOM, for tests. */

import type { ModelInfo } from '../../shared/messages.ts';
import { t } from '../language/translate.ts';

const BUILT_IN = [
  { value: 'mesh', text: t('Mesh (built in)') },
  { value: 'none', text: t('None: faces stay as they are') },
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
  if (model.state === 'ready') return t('Runs on {{provider}}.', { provider: String(model.provider) });
  if (model.state === 'failed') return t('Mesh serves in its place: {{why}}', { why: String(model.why) });
  return t('Mesh serves until it is loaded.');
}

/** Names of plans without a rate. */
const PLANS: Readonly<Record<string, string>> = {
  full: t('full'),
  lean: t('lean'),
  reserve: t('reserve'),
  passthrough: t('passthrough'),
};

/** A plan's name as people read it: `full`, `24 fps`, `reserve 24 fps`. One that is not known stays as it is. */
export function planText(plan: string): string {
  const [, reserve, fps] = /^(reserve )?(\d+) fps$/.exec(plan) ?? [];
  if (fps === undefined) return PLANS[plan] ?? plan;
  const number = Number(fps);
  return reserve === undefined ? t('{{number}} fps', { number }) : t('reserve {{number}} fps', { number });
}

/** A model's state in a few words. */
export const modelState = ({ state, provider }: ModelInfo): string =>
  state === 'ready' ? t('ready on {{provider}}', { provider: String(provider) }) : STATES[state];

const STATES: Record<Exclude<ModelInfo['state'], 'ready'>, string> = {
  absent: t('not here'),
  present: t('here'),
  verified: t('verified'),
  loading: t('loading'),
  failed: t('failed'),
};
