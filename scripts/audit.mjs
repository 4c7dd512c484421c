/**
 * Asks the registry for known vulnerabilities of the packages that are installed with FaceOff, and fails on one that is
 * high or critical. A registry that cannot be reached, or that knows none, is told in one line and fails nothing.
 */
import { spawnSync } from 'node:child_process';

const ANSWER_MS = 5000;
/** npm asks once, and may then read about packages that were found. */
const MOST_MS = 30_000;

const args = [
  'audit',
  '--omit=dev',
  '--audit-level=high',
  '--json',
  '--fetch-retries=0',
  `--fetch-timeout=${ANSWER_MS}`,
];
const { status, stdout, error } = spawnSync('npm', args, {
  encoding: 'utf8',
  timeout: MOST_MS,
  // npm is a script of the shell on Windows.
  shell: process.platform === 'win32',
});

function reportOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const report = reportOf(stdout);
if (report.auditReportVersion === undefined) {
  const why = report.message ?? report.error?.summary ?? error?.message ?? `npm audit ended with ${status}`;
  console.log(`Vulnerabilities are not checked: the registry does not tell (${String(why).split('\n')[0]}).`);
} else if (status === 0) {
  console.log('No package has a vulnerability that is high or critical.');
} else {
  for (const { name, severity, range, fixAvailable } of Object.values(report.vulnerabilities))
    console.error(`${name} ${range}: ${severity}${fixAvailable ? ', mended by an update' : ''}`);
  console.error('`npm audit --omit=dev` tells more.');
  process.exit(1);
}
