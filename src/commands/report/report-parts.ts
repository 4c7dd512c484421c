/** What a support bundle is made of. */

import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { dump } from 'js-yaml';
import type { Config } from '../../config.ts';
import { root } from '../../lib/package-root.ts';
import { readCatalogue } from '../../pipeline/models/catalogue.ts';
import { ModelStates } from '../../pipeline/models/model-states.ts';
import { messageOf } from '../../shared/errors.ts';
import { examine, textOfFindings } from '../doctor.ts';
import { readLogTail } from './log-tail.ts';
import { readFromServer, readMetrics } from './running-server.ts';
import { knownOf, scrubber, shareableConfig } from './scrub.ts';

/** A file of the bundle. */
export interface ReportPart {
  file: string;
  /** What it is, in a few words. */
  what: string;
  text: string;
}

/** Most of the log, in bytes. */
const LOG_BYTES = 2 * 2 ** 20;

/**
 * Gathers every part; what cannot be had says why in its place. No part holds secrets, addresses, pictures, embeddings or SDP.
 * @param args options that a child process is started with to read the same configuration.
 */
export async function gatherParts(config: Config, args: readonly string[]): Promise<ReportPart[]> {
  const scrub = scrubber(knownOf(config));
  const part = async (file: string, what: string, read: () => string | Promise<string>): Promise<ReportPart> => {
    const text = await Promise.resolve()
      .then(read)
      .catch((error: unknown) => `cannot be had: ${messageOf(error)}\n`);
    return { file, what, text: scrub(text) };
  };
  return [
    // A version of four numbers looks like an address.
    { file: 'versions.json', what: 'FaceOff, Node, system, packages', text: versions() },
    await part('doctor.txt', 'what `faceoff doctor` finds', async () => textOfFindings(await examine(config, args))),
    await part('config.yaml', 'settings in force, without secrets and addresses', () => dump(shareableConfig(config))),
    await part('models.json', 'states of the models', () => models(config)),
    await part('status.json', 'state of the running server', () => readFromServer(config, '/api/status')),
    await part('metrics.txt', 'metrics of the running server', () => readMetrics(config)),
    await part('memory.csv', 'the machine’s last minutes', () => readFromServer(config, '/api/status/memory.csv')),
    await part('log.jsonl', 'last lines of the log', () => readLogTail(config.logging.dir, LOG_BYTES)),
  ];
}

function versions(): string {
  const { version, dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const system = { platform: process.platform, arch: process.arch, release: os.release(), memoryBytes: os.totalmem() };
  return `${JSON.stringify({ faceoff: version, node: process.versions, system, dependencies }, null, 2)}\n`;
}

/** States as the running server knows them; without one, which files are there. */
const models = (config: Config): Promise<string> =>
  readFromServer(config, '/api/models').catch(() =>
    JSON.stringify(new ModelStates(readCatalogue(config.models.dir)).list(), null, 2),
  );
