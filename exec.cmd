@rem `exec` of a Unix shell, for the scripts of package.json under Windows: see scripts/start.mjs.
@%*
