/** The text of FaceOff's systemd unit and of the configuration that comes with a system-wide one. */

import { NICE } from '../../lib/priority.ts';

/** What the unit starts, and for which user. */
export interface UnitPlan {
  /** Absolute path of Node. */
  node: string;
  /** Absolute path of dist/main.js. */
  program: string;
  /** Absolute path of the configuration file. */
  config: string;
  /** Whether the unit is for the whole machine, under a user of its own, or for the person that installs it. */
  isSystemWide: boolean;
  /** Groups that may use the graphics cards; those that the machine lacks would keep the unit from starting. */
  cardGroups: readonly string[];
}

/** Name of the unit, and of the user that a system-wide one runs under. */
export const UNIT_NAME = 'faceoff';
/** The first line of every unit that FaceOff writes, by which it knows its own. */
export const UNIT_MARK = '# Written by `faceoff service install`';
/** The file whose lines (FACEOFF_SERVER_TOKEN=…) are variables of a system-wide service; root alone reads it. */
export const ENVIRONMENT_FILE = '/etc/faceoff/environment';

/** A word of a command line as systemd reads it: quoted where it has to be, with specifiers escaped. */
const quoted = (word: string): string =>
  /^[\w./@+:-]+$/.test(word) ? word : `"${word.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`;
/** As `quoted`, for a word behind the program's, in which systemd also looks for variables. */
const argument = (word: string): string => quoted(word.replaceAll('$', () => '$$'));

/** Lines that hold in either case. What a system call filter refuses answers EPERM, it does not end the process. */
const COMMON_HARDENING = `NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077`;

/**
 * DynamicUser gives the service a user that exists while it runs, and with it a file system that is read-only but for the
 * three folders, no /home, and a /tmp of its own. MemoryDenyWriteExecute is left out, as JavaScript is compiled in memory.
 */
const systemWide = ({ cardGroups }: UnitPlan): string => `DynamicUser=yes
User=${UNIT_NAME}
StateDirectory=${UNIT_NAME}
CacheDirectory=${UNIT_NAME}
LogsDirectory=${UNIT_NAME}
WorkingDirectory=/var/lib/${UNIT_NAME}
EnvironmentFile=-${ENVIRONMENT_FILE}
# server.priority: the service may raise itself to this.
LimitNICE=${NICE.high}

# Graphics cards, and no other device.
DevicePolicy=closed
DeviceAllow=char-drm rw
DeviceAllow=char-nvidia rw
DeviceAllow=char-nvidia-frontend rw
DeviceAllow=char-nvidia-uvm rw
${cardGroups.map((group) => `SupplementaryGroups=${group}\n`).join('')}
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
`;

/** The unit: starts again after a crash, and ends in order within eight seconds of SIGTERM. */
export function unitOf(plan: UnitPlan): string {
  const { node, program, config, isSystemWide } = plan;
  return `${UNIT_MARK}; \`faceoff service uninstall\` removes it.
# \`systemctl ${isSystemWide ? '' : '--user '}edit ${UNIT_NAME}\` adds to it, and keeps what was added when this file is written again.

[Unit]
Description=FaceOff, real-time face swap over WebRTC
${isSystemWide ? 'Wants=network-online.target\nAfter=network-online.target\n' : ''}StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
ExecStart=${quoted(node)} ${argument(program)} serve --config ${argument(config)}
# A file that is wrong is told by \`systemctl reload\`, and changes nothing.
ExecReload=${quoted(node)} ${argument(program)} config check ${argument(config)}
ExecReload=/bin/kill -HUP $MAINPID
# The server ends its own processes, ffmpeg and the device process, in order.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=15
Restart=on-failure
RestartSec=2

${isSystemWide ? systemWide(plan) : ''}${COMMON_HARDENING}

[Install]
WantedBy=${isSystemWide ? 'multi-user.target' : 'default.target'}
`;
}

/**
 * The configuration that a system-wide unit begins with: its folders.
 * @param shipped the file that tells what every setting means.
 * @param models folder of the models.
 */
export const systemConfig = (
  shipped: string,
  models: string,
): string => `# Settings of the FaceOff service: ${shipped} has all of them, with their defaults and meanings.
# The token belongs into ${ENVIRONMENT_FILE}: FACEOFF_SERVER_TOKEN=…

models:
  dir: ${JSON.stringify(models)}
  cacheDir: /var/cache/${UNIT_NAME}
storage:
  dir: /var/lib/${UNIT_NAME}/data
recording:
  dir: /var/lib/${UNIT_NAME}/recordings
logging:
  dir: /var/log/${UNIT_NAME}
`;
