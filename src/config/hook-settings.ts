/** The section `hooks` of config.yaml: which programs and addresses are told of which events. */

import { z } from 'zod';
import { listSchema, textSchema } from '../lib/text-schema.ts';
import { live } from './live-setting.ts';

/** What hooks can be told of; docs/hooks.md says when each comes and what it holds. */
export const HOOK_EVENTS = [
  'stream.up',
  'stream.down',
  'viewer.joined',
  'viewer.left',
  'recording.finished',
  'quality.fallen',
  'quality.restored',
  'face.added',
  'fault',
] as const;

/** The type of an event. */
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** Variables that a command is given. FaceOff itself, run by such a command, does not take them for settings. */
export const HOOK_VARIABLES: ReadonlySet<string> = new Set(
  ['EVENT', 'TIME', 'STREAM', 'SESSION', 'VIEWER', 'FILE', 'PART', 'PARTS', 'LASTED_MS', 'FROM', 'TO']
    .concat(['FACE', 'NAME', 'CODE', 'CAUSE'])
    .map((name) => `FACEOFF_${name}`),
);

/** Prefix of a secret, and the bytes that it may have, as the Standard Webhooks specification says. */
const SECRET_PREFIX = 'whsec_';
const SECRET_BYTES = { least: 24, most: 64 };

/** The key of a secret such as `whsec_bWFueSBieXRlcw==`: the bytes that its base64 stands for. */
export const keyOfSecret = (secret: string): Buffer => Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');

function isSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const { length } = keyOfSecret(text);
  return length >= SECRET_BYTES.least && length <= SECRET_BYTES.most;
}

const secret = z
  .string()
  .refine(isSecret, 'must be whsec_ and 24 to 64 bytes as base64; `echo whsec_$(openssl rand -base64 32)` makes one');

/** `fetch` refuses addresses with a user name or a password. */
function isWebAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

const events = listSchema(z.enum(HOOK_EVENTS, { error: `must be one of ${HOOK_EVENTS.join(', ')}` }), 1).default([
  ...HOOK_EVENTS,
]);

const timeoutMs = (standard: number) => z.int().min(100).max(86_400_000).default(standard);

const webhook = z.strictObject({
  url: z.string().refine(isWebAddress, 'must be an http or https address, without a user name and password'),
  events,
  secret: secret.optional(),
  timeoutMs: timeoutMs(10_000),
});

const argument = textSchema(0).refine((text) => !text.includes('\0'), 'must not hold a NUL');

const command = z.strictObject({
  run: z
    .array(argument, { error: 'must be a list: the program, then each argument, [/usr/local/bin/notify, --loud]' })
    .refine((words) => words[0] !== undefined && words[0] !== '', 'must begin with the program'),
  events,
  timeoutMs: timeoutMs(30_000),
});

/** The settings of the section. */
export const hookSettings = {
  webhooks: live(z.array(webhook).default([])),
  commands: live(z.array(command).default([])),
  secret: live(secret.nullable().default(null)),
  queue: live(z.int().min(1).max(100_000).default(256)),
  retryForMs: live(
    z
      .int()
      .min(0)
      .max(7 * 86_400_000)
      .default(3_600_000),
  ),
  commandsAtOnce: live(z.int().min(1).max(64).default(4)),
};

/** The section, with its defaults. */
export type HookSettings = z.infer<z.ZodObject<typeof hookSettings>>;
/** One entry of `hooks.webhooks`. */
export type WebhookSettings = HookSettings['webhooks'][number];
/** One entry of `hooks.commands`. */
export type CommandSettings = HookSettings['commands'][number];

/** Sentences about hooks that are allowed alone, but not together. */
export function disagreeingHooks({ webhooks, secret }: HookSettings): string[] {
  return webhooks.flatMap((one, at) =>
    (one.secret ?? secret) === null
      ? [`hooks.webhooks.${at}.secret: must be set, here or for all webhooks as hooks.secret (FACEOFF_HOOKS_SECRET)`]
      : [],
  );
}
