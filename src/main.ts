#!/usr/bin/env node
/** Composition root: reads the command line and starts the command that it names. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { agentCommand } from './commands/agent/agent-command.ts';
import { tokenCommand } from './commands/agent/token-command.ts';
import { cacheCommand } from './commands/cache.ts';
import { cameraCommand } from './commands/camera/camera.ts';
import { configCommand } from './commands/config/config-command.ts';
import { detectCommand } from './commands/detect/detect-mark.ts';
import { doctorCommand } from './commands/doctor.ts';
import { facesCommand } from './commands/faces/faces.ts';
import { gpuCommand } from './commands/install/gpu-install.ts';
import { h264Command } from './commands/install/h264-install.ts';
import { modelsCommand } from './commands/models.ts';
import { renderCommand } from './commands/render/render.ts';
import { reportCommand } from './commands/report/report.ts';
import { serveCommand } from './commands/serve.ts';
import { serviceCommand } from './commands/service/service.ts';
import { defaultConfigFile } from './lib/installation.ts';
import { endWithNpm } from './lib/npm-parent.ts';
import { root } from './lib/package-root.ts';
import { disableTelemetry } from './lib/system/no-telemetry.ts';
import { FaceOffError } from './shared/errors.ts';

const config = defaultConfigFile();
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };

const program = new Command('faceoff')
  .description('Real-time webcam face swap over WebRTC')
  .version(version)
  // Options behind a command's own commands are theirs (`agent install`).
  .enablePositionalOptions()
  .addCommand(serveCommand(config, version), { isDefault: true })
  .addCommand(renderCommand(config))
  .addCommand(facesCommand(config))
  .addCommand(detectCommand(config))
  .addCommand(modelsCommand(config))
  .addCommand(cacheCommand(config))
  .addCommand(cameraCommand(config))
  .addCommand(configCommand(config))
  .addCommand(gpuCommand(config))
  .addCommand(h264Command(config))
  .addCommand(agentCommand(config, version))
  .addCommand(tokenCommand(config))
  .addCommand(serviceCommand(config))
  .addCommand(doctorCommand(config))
  .addCommand(reportCommand(config));

endWithNpm();
disableTelemetry();
try {
  await program.parseAsync();
} catch (error) {
  // A FaceOffError says what to do in a sentence; anything else is a defect and shows its stack.
  console.error(error instanceof FaceOffError ? error.message : error);
  process.exit(1);
}
