"""When it happens: cron lines, tasks and who runs them. The task table is the ledger, the clock only reads it."""
